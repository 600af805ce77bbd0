// The price of a message on the memory backend, beside much that is idle:
//
//   scale_idle --queues N --backlog N --keys N --count N
//
// N queues have an open sender and receiver each that do nothing; the backlog
// lies in the queue that is used; the messages have so many keys in turn.
// Prints the wall time of a message (sent, received and completed) as JSON.
// Below callgrind (--instr-atstart=no) only the measured part is counted.
#include <fmt/format.h>
#include <valgrind/callgrind.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tieline/bus.h"
#include "tieline/clock.h"
#include "tieline/memory.h"

namespace tieline::scale_idle {
namespace {

struct Options {
  uint64_t queues = 100;
  uint64_t backlog = 100;
  uint64_t keys = 100;
  uint64_t count = 20000;
};

constexpr uint64_t kBatch = 100;
constexpr absl::Duration kWait = absl::Seconds(60);

std::vector<Message> Batch(const Options& options, uint64_t first,
                           uint64_t count) {
  std::vector<Message> batch;
  batch.reserve(count);
  for (uint64_t i = first; i < first + count; ++i) {
    batch.push_back(Message(std::string(100, 'x'))
                        .set_key(fmt::format("{:08}", i % options.keys)));
  }
  return batch;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {}

  absl::Status Prepare() {
    TIELINE_RETURN_IF_ERROR(OpenIdle());
    auto sender = bus_->OpenSender("memory://scale/used?ordered=key");
    if (!sender.ok()) return sender.status();
    sender_ = *std::move(sender);
    for (uint64_t i = 0; i < options_.backlog; i += kBatch) {
      TIELINE_RETURN_IF_ERROR(Send(std::min(kBatch, options_.backlog - i)));
    }
    ReceiverOptions with;
    with.credit = 2 * kBatch;
    auto receiver = bus_->OpenReceiver("memory://scale/used?ordered=key", with);
    if (!receiver.ok()) return receiver.status();
    receiver_ = *std::move(receiver);
    // Everything that is made on the way is made before it is counted.
    for (int i = 0; i < 20; ++i) TIELINE_RETURN_IF_ERROR(Step());
    return absl::OkStatus();
  }

  absl::Status Measure() {
    for (uint64_t i = 0; i < options_.count; i += kBatch) {
      TIELINE_RETURN_IF_ERROR(Step());
    }
    return absl::OkStatus();
  }

 private:
  absl::Status OpenIdle() {
    auto bus = Bus::Open(Config());
    if (!bus.ok()) return bus.status();
    bus_ = *std::move(bus);
    for (uint64_t i = 0; i < options_.queues; ++i) {
      const std::string url = fmt::format("memory://scale/idle-{}", i);
      auto sender = bus_->OpenSender(url);
      if (!sender.ok()) return sender.status();
      auto receiver = bus_->OpenReceiver(url);
      if (!receiver.ok()) return receiver.status();
      idle_senders_.push_back(*std::move(sender));
      idle_receivers_.push_back(*std::move(receiver));
    }
    return absl::OkStatus();
  }

  absl::Status Send(uint64_t count) {
    for (const SendResult& r :
         sender_->SendBatch(Batch(options_, next_, count))) {
      if (!r.ok()) return r.status;
    }
    next_ += count;
    return absl::OkStatus();
  }

  absl::Status Step() {
    absl::Status sent = Send(kBatch);
    if (!sent.ok()) return sent;
    for (uint64_t left = kBatch; left > 0;) {
      auto batch = receiver_->ReceiveBatch(left, kWait);
      if (!batch.ok()) return batch.status();
      left -= batch->size();
      absl::Status done = receiver_->CompleteAll(*std::move(batch));
      if (!done.ok()) return done;
    }
    return receiver_->Flush(kWait);
  }

  const Options options_;
  std::unique_ptr<Bus> bus_;
  std::vector<std::unique_ptr<Sender>> idle_senders_;
  std::vector<std::unique_ptr<Receiver>> idle_receivers_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
  uint64_t next_ = 0;
};

int Main(const Options& options) {
  Run run(options);
  absl::Status status = run.Prepare();
  const absl::Time start = Clock::System()->Steady();
  if (status.ok()) {
    CALLGRIND_START_INSTRUMENTATION;
    status = run.Measure();
    CALLGRIND_STOP_INSTRUMENTATION;
  }
  if (!status.ok()) {
    fmt::print(stderr, "scale_idle: {}\n", status.ToString());
    return 1;
  }
  const double ns =
      absl::ToDoubleNanoseconds(Clock::System()->Steady() - start);
  fmt::print("{{\"count\": {}, \"ns\": {:.1f}}}\n", options.count,
             ns / static_cast<double>(options.count));
  return 0;
}

}  // namespace
}  // namespace tieline::scale_idle

int main(int argc, char** argv) {
  using namespace tieline::scale_idle;
  CLI::App app("The price of a message beside much that is idle");
  Options options;
  app.add_option("--queues", options.queues, "Open queues that are idle");
  app.add_option("--backlog", options.backlog, "Messages that lie there");
  app.add_option("--keys", options.keys)->check(CLI::PositiveNumber);
  app.add_option("--count", options.count, "Messages that are measured");
  CLI11_PARSE(app, argc, argv);
  tieline::memory::Register();
  return Main(options);
}
