// The public interface on the memory backend: what one message costs when one
// thread sends, receives and completes it, so without any waiting.
#include <memory>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "tieline/bus.h"
#include "tieline/memory.h"

namespace tieline {
namespace {

class Handles {
 public:
  Handles() {
    memory::Register();
    bus_ = *Bus::Open(Config{});
    sender = *bus_->OpenSender("memory://bench/handles");
    ReceiverOptions options;
    options.credit = 4096;
    receiver = *bus_->OpenReceiver("memory://bench/handles", options);
  }

 private:
  std::unique_ptr<Bus> bus_;

 public:
  std::unique_ptr<Sender> sender;
  std::unique_ptr<Receiver> receiver;
};

const std::string kBody(100, 'b');

void BM_Single(benchmark::State& state) {
  Handles handles;
  for (auto _ : state) {
    const SendResult sent = handles.sender->Send(Message(kBody));
    auto delivery = handles.receiver->Receive(absl::Seconds(10));
    if (!sent.ok() || !delivery.ok() || !delivery->Complete().ok()) {
      state.SkipWithError("a call failed");
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Single);

// Send alone, then receive and complete: up to the receiver's credit.
void BM_SingleInTurns(benchmark::State& state) {
  Handles handles;
  const auto turn = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    for (size_t i = 0; i < turn; ++i) {
      if (!handles.sender->Send(Message(kBody)).ok()) {
        state.SkipWithError("a send failed");
      }
    }
    for (size_t i = 0; i < turn; ++i) {
      auto delivery = handles.receiver->Receive(absl::Seconds(10));
      if (!delivery.ok() || !delivery->Complete().ok()) {
        state.SkipWithError("a call failed");
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SingleInTurns)->Arg(1024);

void BM_Batches(benchmark::State& state) {
  Handles handles;
  const auto batch = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    std::vector<Message> messages;
    messages.reserve(batch);
    for (size_t i = 0; i < batch; ++i) messages.emplace_back(kBody);
    for (const SendResult& r : handles.sender->SendBatch(std::move(messages))) {
      if (!r.ok()) state.SkipWithError("a send failed");
    }
    auto deliveries = handles.receiver->ReceiveBatch(batch, absl::Seconds(10));
    if (!deliveries.ok() || deliveries->size() != batch ||
        !handles.receiver->CompleteAll(*std::move(deliveries)).ok()) {
      state.SkipWithError("a call failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Batches)->Arg(64);

}  // namespace
}  // namespace tieline
