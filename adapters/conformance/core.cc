// What an application sees of a backend through Bus, Sender, Receiver and
// Processor: the core and the driver together, on the system's clock.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "adapters/conformance/suite.h"
#include "tieline/bus.h"

namespace tieline::conformance {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);
constexpr absl::Duration kBrief = absl::Milliseconds(300);

// Real time, since the core's threads wait by it.
bool Eventually(const std::function<bool()>& done) {
  const absl::Time end = Clock::System()->Steady() + kLong;
  while (!done()) {
    if (Clock::System()->Steady() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// A bus with one queue, "q", of the backend's.
class Stage {
 public:
  explicit Stage(Rig& rig, Order ordered = Order::kNone)
      : Stage(rig, rig.NewQueue(), rig.harness().broker(), ordered) {}

  Stage(Rig& rig, QueueConfig entity, BrokerConfig broker,
        Order ordered = Order::kNone)
      : queue(std::move(entity)) {
    if (driver::Find(broker.url.scheme) == nullptr) {
      Rig::Skip("the driver is not registered under its URL's scheme");
    }
    broker.name = "b";
    queue.name = "q";
    queue.broker = "b";
    queue.ordered = ordered;
    Config config;
    config.brokers["b"] = std::move(broker);
    config.queues["q"] = queue;
    auto opened = Bus::Open(std::move(config));
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    bus = *std::move(opened);
    static_cast<void>(rig);
  }

  std::unique_ptr<tieline::Sender> OpenSender(
      SenderOptions options = {}) const {
    auto made = bus->OpenSender("q", std::move(options));
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    return *std::move(made);
  }
  std::unique_ptr<tieline::Receiver> OpenReceiver(
      ReceiverOptions options = {}) const {
    auto made = bus->OpenReceiver("q", std::move(options));
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    return *std::move(made);
  }
  // Sends Numbered(n), all with one key.
  void Fill(size_t n, std::string_view key = "k") const {
    std::vector<Message> list = Numbered(n);
    for (Message& m : list) m.set_key(key);
    auto tx = OpenSender();
    for (const SendResult& r : tx->SendBatch(std::move(list))) {
      INFO(r.status.ToString());
      REQUIRE(r.ok());
    }
  }

  // Cuts, and goes on only when the bus has given up the connection: a driver
  // may mend a short interruption itself, and its tokens then stay good.
  void LoseConnection(Rig& rig) const {
    const auto losses = [&] {
      uint64_t sum = 0;
      for (const BrokerMetrics& b : bus->metrics().brokers) sum += b.losses;
      return sum;
    };
    const uint64_t before = losses();
    rig.Demand(rig.harness().Cut());
    REQUIRE(Eventually([&] { return losses() > before; }));
    rig.Demand(rig.harness().Resume());
  }

  QueueConfig queue;
  std::unique_ptr<Bus> bus;
};

Delivery MustReceive(tieline::Receiver& rx) {
  auto got = rx.Receive(kLong);
  INFO(got.status().ToString());
  REQUIRE(got.ok());
  return *std::move(got);
}

absl::StatusCode CodeOf(tieline::Receiver& rx, absl::Duration timeout) {
  return rx.Receive(timeout).status().code();
}

BEHAVIOUR("a blocking send returns when the broker has the message",
          "[core][outcomes]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  const SendResult result = tx->Send(Message("hello"));
  INFO(result.status.ToString());
  CHECK(result.state == SendState::kAccepted);
  CHECK(result.attempts == 1);
  auto rx = stage.OpenReceiver();
  CHECK(MustReceive(*rx).message().body_view() == "hello");
}

BEHAVIOUR("a message without an id is given one", "[core]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  const SendResult result = tx->Send(Message("hello"));
  CHECK(!result.id().empty());
  auto rx = stage.OpenReceiver();
  CHECK(MustReceive(*rx).message().id() == result.id());
}

BEHAVIOUR("a blocking send that gets no answer is in doubt at its deadline",
          "[core][outcomes]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  REQUIRE(tx->Send(Message("before")).ok());
  rig.Demand(rig.harness().Stall());
  const SendResult result = tx->Send(Message("lost"), {kBrief});
  rig.Demand(rig.harness().Resume());
  INFO(result.status.ToString());
  CHECK(result.state == SendState::kUnknown);
  CHECK(result.status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(!result.id().empty());
}

BEHAVIOUR("a blocking send to nobody is certainly not sent at its deadline",
          "[core][outcomes]") {
  const QueueConfig queue = rig.NewQueue();
  Stage stage(rig, queue, rig.Get(rig.harness().Unreachable()));
  auto tx = stage.OpenSender();
  const SendResult result = tx->Send(Message("nowhere"), {kBrief});
  INFO(result.status.ToString());
  CHECK(result.state == SendState::kNotSent);
  CHECK(!result.status.ok());
}

BEHAVIOUR("an asynchronous send at the bound is refused and keeps its messages",
          "[core][back-pressure]") {
  Stage stage(rig);
  SenderOptions options;
  options.max_pending = 10;
  auto tx = stage.OpenSender(options);
  REQUIRE(tx->Send(Message("before")).ok());
  rig.Demand(rig.harness().Stall());
  std::atomic<int> answered = 0;
  const auto count = [&](std::span<const SendResult> results) {
    answered += static_cast<int>(results.size());
  };
  REQUIRE(tx->SendBatch(Numbered(10), count).ok());
  std::vector<Message> more = Numbered(1);
  CHECK(tx->SendBatch(std::move(more), count).code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(more.size() == 1);
  rig.Demand(rig.harness().Resume());
  CHECK(Eventually([&] { return answered == 10; }));
}

BEHAVIOUR("an asynchronous batch is answered once, in order",
          "[core][outcomes]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  std::mutex mu;
  std::vector<std::string> bodies;
  std::atomic<int> calls = 0;
  REQUIRE(
      tx->SendBatch(Numbered(100), [&](std::span<const SendResult> results) {
          std::lock_guard lock(mu);
          for (const SendResult& r : results) {
            bodies.emplace_back(r.message.body_view());
          }
          ++calls;
        }).ok());
  REQUIRE(Eventually([&] { return calls == 1; }));
  REQUIRE(tx->Flush(kLong).ok());
  std::vector<std::string> expected;
  for (int i = 0; i < 100; ++i) expected.push_back("m" + std::to_string(i));
  CHECK(calls == 1);
  CHECK(bodies == expected);
}

BEHAVIOUR("a send on a closed sender is refused", "[core][close]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  REQUIRE(tx->Close(kLong).ok());
  CHECK(tx->Send(Message("late")).status.code() ==
        absl::StatusCode::kFailedPrecondition);
}

BEHAVIOUR("receiving from an empty queue ends at its deadline", "[core]") {
  Stage stage(rig);
  auto rx = stage.OpenReceiver();
  REQUIRE(rx->WaitOpen(kLong).ok());
  CHECK(CodeOf(*rx, kBrief) == absl::StatusCode::kDeadlineExceeded);
}

BEHAVIOUR("receiving is ended by its stop token", "[core]") {
  Stage stage(rig);
  auto rx = stage.OpenReceiver();
  REQUIRE(rx->WaitOpen(kLong).ok());
  std::stop_source stop;
  stop.request_stop();
  CHECK(rx->Receive(kLong, stop.get_token()).status().code() ==
        absl::StatusCode::kCancelled);
}

BEHAVIOUR("what was completed and flushed never comes again",
          "[core][settle]") {
  Stage stage(rig);
  stage.Fill(20);
  {
    auto rx = stage.OpenReceiver();
    for (int i = 0; i < 20; ++i) REQUIRE(MustReceive(*rx).Complete().ok());
    REQUIRE(rx->Flush(kLong).ok());
    REQUIRE(rx->Close(kLong).ok());
  }
  auto next = stage.OpenReceiver();
  REQUIRE(next->WaitOpen(kLong).ok());
  CHECK(CodeOf(*next, kBrief) == absl::StatusCode::kDeadlineExceeded);
}

BEHAVIOUR("settling a delivery twice is refused", "[core][settle]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  Delivery delivery = MustReceive(*rx);
  REQUIRE(delivery.Complete().ok());
  CHECK(delivery.Complete().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(delivery.Abandon().code() == absl::StatusCode::kFailedPrecondition);
}

BEHAVIOUR("a confirmed completion waits for the broker", "[core][settle]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  const absl::Status status = MustReceive(*rx).CompleteConfirmed(kLong);
  INFO(status.ToString());
  CHECK(status.ok());
}

BEHAVIOUR("a delivery destroyed unsettled comes again", "[core][redelivery]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  { const Delivery dropped = MustReceive(*rx); }
  Delivery again = MustReceive(*rx);
  CHECK(again.message().body_view() == "m0");
  REQUIRE(again.Complete().ok());
}

BEHAVIOUR("an abandoned message comes again, whoever retries it",
          "[core][redelivery]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  REQUIRE(MustReceive(*rx).Abandon().ok());
  Delivery again = MustReceive(*rx);
  CHECK(again.message().body_view() == "m0");
  CHECK((again.attempts() == 1 || again.redelivered()));
  REQUIRE(again.Complete().ok());
}

BEHAVIOUR("a processor keeps the order of each key with many handlers",
          "[core][order]") {
  Stage stage(rig, Order::kPerKey);
  auto tx = stage.OpenSender();
  std::vector<Message> list;
  for (int i = 0; i < 30; ++i) {
    for (const char* key : {"a", "b", "c", "d"}) {
      list.emplace_back(std::to_string(i));
      list.back().set_key(key);
    }
  }
  for (const SendResult& r : tx->SendBatch(std::move(list))) REQUIRE(r.ok());
  auto rx = stage.OpenReceiver();
  std::mutex mu;
  std::map<std::string, std::vector<int>> by_key;
  std::atomic<int> handled = 0;
  auto processor = rx->Process({4, Order::kPerKey}, [&](Delivery& d) {
    std::lock_guard lock(mu);
    by_key[std::string(d.message().key())].push_back(
        std::stoi(std::string(d.message().body_view())));
    ++handled;
    return absl::OkStatus();
  });
  REQUIRE(Eventually([&] { return handled == 120; }));
  REQUIRE(processor->Stop(kLong).ok());
  for (const auto& [key, numbers] : by_key) {
    INFO(key);
    CHECK(numbers.size() == 30);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

BEHAVIOUR("a handler that throws gets its message again",
          "[core][redelivery]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  std::atomic<int> calls = 0;
  auto processor = rx->Process({1, Order::kNone}, [&](Delivery&) {
    if (++calls == 1) throw std::runtime_error("oops");
    return absl::OkStatus();
  });
  CHECK(Eventually([&] { return calls == 2; }));
  REQUIRE(processor->Stop(kLong).ok());
  CHECK(processor->counts().thrown == 1);
  CHECK(processor->counts().handled >= 1);
}

BEHAVIOUR("a dead-lettered message is out of the way", "[core][dead-letter]") {
  Stage stage(rig);
  stage.Fill(2);
  auto rx = stage.OpenReceiver();
  Delivery bad = MustReceive(*rx);
  REQUIRE(bad.DeadLetter("BadCharge", "meter ran backwards").ok());
  Delivery good = MustReceive(*rx);
  CHECK(good.message().body_view() == "m1");
  REQUIRE(good.Complete().ok());
  const absl::Status flushed = rx->Flush(kLong);
  INFO(flushed.ToString());
  CHECK(flushed.ok());
  CHECK(CodeOf(*rx, kBrief) == absl::StatusCode::kDeadlineExceeded);
}

BEHAVIOUR("what a broken connection left in doubt is sent again",
          "[core][lost]") {
  Stage stage(rig);
  auto tx = stage.OpenSender();
  REQUIRE(tx->Send(Message("before")).ok());
  std::atomic<size_t> accepted = 0;
  std::atomic<size_t> answered = 0;
  for (int round = 0; round < 10; ++round) {
    REQUIRE(tx->SendBatch(Numbered(20, std::to_string(round) + "-"),
                          [&](std::span<const SendResult> results) {
                            for (const SendResult& r : results) {
                              accepted += r.ok();
                              ++answered;
                            }
                          })
                .ok());
    if (round == 5) {
      rig.Demand(rig.harness().Cut());
      rig.Demand(rig.harness().Resume());
    }
  }
  REQUIRE(Eventually([&] { return answered == 200; }));
  CHECK(accepted == 200);
  auto rx = stage.OpenReceiver();
  std::map<std::string, int> seen;
  while (seen.size() < 201) {
    Delivery d = MustReceive(*rx);
    ++seen[std::string(d.message().id())];
    REQUIRE(d.Complete().ok());
  }
  CHECK(seen.size() == 201);
}

BEHAVIOUR("a receiver goes on after its connection was broken",
          "[core][lost]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  REQUIRE(MustReceive(*rx).CompleteConfirmed(kLong).ok());
  rig.Demand(rig.harness().Cut());
  rig.Demand(rig.harness().Resume());
  auto tx = stage.OpenSender();
  REQUIRE(tx->Send(Message("after")).ok());
  Delivery next = MustReceive(*rx);
  if (!rig.limits().confirms_settlements &&
      next.message().body_view() == "m0") {
    REQUIRE(next.CompleteConfirmed(kLong).ok());
    next = MustReceive(*rx);
  }
  CHECK(next.message().body_view() == "after");
  CHECK(next.Complete().ok());
}

BEHAVIOUR("settling after the connection was broken is answered aborted",
          "[core][lost][stale]") {
  Stage stage(rig);
  stage.Fill(1);
  auto rx = stage.OpenReceiver();
  Delivery held = MustReceive(*rx);
  stage.LoseConnection(rig);
  Delivery again = MustReceive(*rx);
  CHECK(again.message().body_view() == "m0");
  CHECK(held.CompleteConfirmed(kLong).code() == absl::StatusCode::kAborted);
  CHECK(again.CompleteConfirmed(kLong).ok());
}

BEHAVIOUR("needing what the backend lacks is refused at open", "[core]") {
  Stage stage(rig);
  for (int c = 0; c < kCapabilityCount; ++c) {
    const auto capability = static_cast<Capability>(c);
    if (rig.Has(capability)) continue;
    ReceiverOptions options;
    options.needs = {capability};
    auto opened = stage.bus->OpenReceiver("q", options);
    absl::Status status = opened.status();
    if (status.ok()) status = (*opened)->WaitOpen(kLong);
    INFO(CapabilityName(capability) << ": " << status.ToString());
    CHECK(status.code() == absl::StatusCode::kUnimplemented);
    return;
  }
  rig.Skip("the backend lacks nothing");
}

BEHAVIOUR("closing a bus sends the settlements first", "[core][close]") {
  const QueueConfig queue = rig.NewQueue();
  {
    Stage stage(rig, queue, rig.harness().broker());
    stage.Fill(50);
    auto rx = stage.OpenReceiver();
    for (int i = 0; i < 50; ++i) REQUIRE(MustReceive(*rx).Complete().ok());
    REQUIRE(rx->Close(kLong).ok());
    REQUIRE(stage.bus->Close(kLong).ok());
  }
  Stage next(rig, queue, rig.harness().broker());
  auto rx = next.OpenReceiver();
  REQUIRE(rx->WaitOpen(kLong).ok());
  CHECK(CodeOf(*rx, kBrief) == absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace tieline::conformance
