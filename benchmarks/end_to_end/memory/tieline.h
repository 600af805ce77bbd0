// Our queue in memory, through the public interface.
#ifndef TIELINE_BENCHMARKS_END_TO_END_MEMORY_TIELINE_H_
#define TIELINE_BENCHMARKS_END_TO_END_MEMORY_TIELINE_H_

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "benchmarks/end_to_end/memory/crossing.h"
#include "tieline/bus.h"
#include "tieline/memory.h"

namespace tieline::bench {

inline void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

class TielineQueue {
 public:
  TielineQueue() {
    memory::Register();
    auto bus = Bus::Open(Config{});
    Check(bus.status());
    bus_ = *std::move(bus);
    auto opened_sender = bus_->OpenSender("memory://bench/queue");
    Check(opened_sender.status());
    sender = *std::move(opened_sender);
    ReceiverOptions options;
    options.credit = 4096;
    auto opened = bus_->OpenReceiver("memory://bench/queue", options);
    Check(opened.status());
    receiver = *std::move(opened);
    Check(sender->WaitOpen(absl::Seconds(5)));
    Check(receiver->WaitOpen(absl::Seconds(5)));
  }
  ~TielineQueue() {
    Check(receiver->Flush(absl::Seconds(5)));
    const auto depth = bus_->Depth("memory://bench/queue", absl::Seconds(5));
    Check(depth.status());
    if (*depth != 0) Check(absl::DataLossError("messages are left over"));
  }

 private:
  std::unique_ptr<Bus> bus_;

 public:
  std::unique_ptr<Sender> sender;
  std::unique_ptr<Receiver> receiver;
};

inline void CrossInBatches(TielineQueue& queue, Crossing& crossing) {
  Cross(
      [&] {
        for (size_t sent = 0; sent < crossing.count();) {
          crossing.AwaitRoom(sent + kBatch);
          std::vector<Message> batch;
          batch.reserve(kBatch);
          for (; batch.size() < kBatch && sent < crossing.count(); ++sent) {
            batch.emplace_back(crossing.Body(sent));
          }
          for (const SendResult& r :
               queue.sender->SendBatch(std::move(batch))) {
            if (!r.ok()) Check(r.status);
          }
        }
      },
      [&] {
        while (!crossing.Over()) {
          auto batch = queue.receiver->ReceiveBatch(kBatch, absl::Seconds(10));
          Check(batch.status());
          for (const Delivery& d : *batch) {
            crossing.Check(d.message().body_view());
          }
          Check(queue.receiver->CompleteAll(*std::move(batch)));
          crossing.Done();
        }
      });
}

inline void CrossOneByOne(TielineQueue& queue, Crossing& crossing) {
  Cross(
      [&] {
        for (size_t sent = 0; sent < crossing.count(); ++sent) {
          crossing.AwaitRoom(sent);
          const SendResult r = queue.sender->Send(Message(crossing.Body(sent)));
          if (!r.ok()) Check(r.status);
        }
      },
      [&] {
        while (!crossing.Over()) {
          auto delivery = queue.receiver->Receive(absl::Seconds(10));
          Check(delivery.status());
          crossing.Check(delivery->message().body_view());
          Check(delivery->Complete());
          crossing.Done();
        }
      });
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_MEMORY_TIELINE_H_
