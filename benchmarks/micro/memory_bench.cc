// The memory backend at the driver interface: what one message costs the driver
// on both sides together, by batch, backlog and number of idle queues.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "tieline/driver/driver.h"
#include "tieline/memory.h"

namespace tieline {
namespace {

using driver::Inbound;
using driver::Outbound;
using driver::Outcome;
using driver::Settled;
using driver::Settlement;

class Link final : public driver::ConnectionSink,
                   public driver::SenderSink,
                   public driver::ReceiverSink,
                   public driver::Waker {
 public:
  explicit Link(const std::string& broker) {
    memory::Register();
    config_.name = broker;
    config_.url = *Url::Parse("memory://" + broker);
    connection_ = *driver::Find("memory")->Connect(config_, this, this,
                                                   Clock::System(), {});
  }

  void OpenSender(const std::string& queue) {
    QueueConfig config;
    config.name = config.entity = queue;
    sender_ = *connection_->OpenSender({config, false}, this);
    Run();
  }
  void OpenReceiver(const std::string& queue) {
    driver::ReceiverSpec spec;
    spec.queue.name = spec.queue.entity = queue;
    receiver_ = *connection_->OpenReceiver(spec, this);
    Run();
  }
  void Run() { connection_->Run(now_); }

  void Send(size_t n, std::string_view body) {
    messages_.clear();
    batch_.clear();
    for (size_t i = 0; i < n; ++i) messages_.emplace_back(body);
    for (const Message& m : messages_) batch_.push_back({++cookie_, &m});
    size_t taken = 0;
    while (taken < n) {
      taken += sender_->Submit(std::span(batch_).subspan(taken), false);
      Run();
    }
  }
  // Takes up to n that are there and completes them.
  size_t Take(size_t n) {
    if (granted_ < n) {
      receiver_->Grant(driver::kAllLanes, static_cast<uint32_t>(n - granted_),
                       n * 1000);
      granted_ = n;
    }
    const size_t before = received_;
    Run();
    if (received_ == before) return 0;
    receiver_->Settle(settling_);
    settling_.clear();
    Run();
    return received_ - before;
  }
  size_t settled() const { return settled_; }
  size_t received() const { return received_; }

  void OnUp(const Capabilities&) override {}
  void OnReply(driver::Reply) override {}
  void OnLost(const absl::Status&) override {}
  void OnOpened(const Capabilities&) override {}
  void OnSendable() override {}
  void OnOutcomes(std::span<const Outcome> list) override {
    outcomes_ += list.size();
  }
  void OnDeliveries(std::span<Inbound> list) override {
    received_ += list.size();
    granted_ -= std::min(granted_, list.size());
    for (Inbound& m : list) {
      settling_.push_back({m.token, driver::Verb::kComplete, nullptr, "", ""});
      Message taken = std::move(m.message);
      benchmark::DoNotOptimize(taken);
    }
  }
  void OnSettled(std::span<const Settled> list) override {
    settled_ += list.size();
  }
  void OnLane(const driver::LaneEvent&) override {}
  void OnDrained() override {}
  void OnClosed(const absl::Status&) override {}
  void Wake() override {}

 private:
  BrokerConfig config_;
  std::unique_ptr<driver::Connection> connection_;
  std::unique_ptr<driver::SenderDriver> sender_;
  std::unique_ptr<driver::ReceiverDriver> receiver_;
  absl::Time now_ = Clock::System()->Steady();
  std::vector<Message> messages_;
  std::vector<Outbound> batch_;
  std::vector<Settlement> settling_;
  uint64_t cookie_ = 0;
  size_t granted_ = 0;
  size_t received_ = 0;
  size_t settled_ = 0;
  size_t outcomes_ = 0;
};

const std::string kBody(100, 'b');

void Pump(benchmark::State& state, Link* tx, Link* rx, size_t batch) {
  for (auto _ : state) {
    tx->Send(batch, kBody);
    rx->Take(batch);
  }
  if (rx->settled() != rx->received()) state.SkipWithError("unsettled");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}

void BM_Batch(benchmark::State& state) {
  Link tx("bench");
  Link rx("bench");
  tx.OpenSender("batch");
  rx.OpenReceiver("batch");
  Pump(state, &tx, &rx, static_cast<size_t>(state.range(0)));
  memory::Broker::Remove("bench");
}
BENCHMARK(BM_Batch)->Arg(1)->Arg(8)->Arg(64)->Arg(256);

// The price of a message does not grow with what waits before it.
void BM_Backlog(benchmark::State& state) {
  Link tx("bench");
  Link rx("bench");
  tx.OpenSender("backlog");
  rx.OpenReceiver("backlog");
  for (int64_t n = 0; n < state.range(0); n += 100) tx.Send(100, kBody);
  Pump(state, &tx, &rx, 64);
  memory::Broker::Remove("bench");
}
BENCHMARK(BM_Backlog)->RangeMultiplier(100)->Range(100, 1000000);

// ... nor with the number of queues that are open and idle.
void BM_IdleQueues(benchmark::State& state) {
  std::vector<std::unique_ptr<Link>> idle;
  for (int64_t i = 0; i < state.range(0); ++i) {
    idle.push_back(std::make_unique<Link>("bench"));
    idle.back()->OpenReceiver("idle-" + std::to_string(i));
    idle.back()->Take(10);
  }
  Link tx("bench");
  Link rx("bench");
  tx.OpenSender("busy");
  rx.OpenReceiver("busy");
  Pump(state, &tx, &rx, 64);
  memory::Broker::Remove("bench");
}
BENCHMARK(BM_IdleQueues)->RangeMultiplier(10)->Range(100, 10000);

// One thread sends, another receives and completes.
void BM_TwoThreads(benchmark::State& state) {
  const auto batch = static_cast<size_t>(state.range(0));
  constexpr size_t kEach = 200000;
  for (auto _ : state) {
    Link tx("bench");
    Link rx("bench");
    tx.OpenSender("two");
    rx.OpenReceiver("two");
    std::thread sender([&] {
      for (size_t sent = 0; sent < kEach; sent += batch) tx.Send(batch, kBody);
    });
    while (rx.received() < kEach) {
      if (rx.Take(batch) == 0) std::this_thread::yield();
    }
    sender.join();
    memory::Broker::Remove("bench");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kEach));
}
BENCHMARK(BM_TwoThreads)->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace tieline
