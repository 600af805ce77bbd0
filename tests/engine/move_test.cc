// Queues that move while they are used: nothing is lost, order per key is kept,
// and handles go on.
#include "tieline/move.h"

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

constexpr int kKeys = 20;

// Memory brokers "a" and "b", "strict", which creates nothing by itself, and
// "sink"; queue "q", ordered by key, at "a", and queue "to" at "sink".
struct MoveRig {
  explicit MoveRig(BusOptions options = {}) {
    memory::Register();
    for (const char* broker : {"a", "b", "sink", "strict"}) {
      const std::string name = NextName(broker);
      memory::BrokerOptions with;
      with.auto_create = std::string(broker) != "strict";
      brokers[broker] = *memory::Broker::Create(name, std::move(with));
      names.push_back(name);
      BrokerConfig& b = config.brokers[broker];
      b.name = broker;
      b.url.scheme = "memory";
      b.url.hosts.push_back({name, 0});
    }
    QueueConfig& q = config.queues["q"];
    q.name = q.entity = "q";
    q.broker = "a";
    q.ordered = Order::kPerKey;
    q.create = true;
    QueueConfig& to = config.queues["to"];
    to = q;
    to.name = to.entity = "to";
    to.broker = "sink";
    config.move.quiet_period = absl::Milliseconds(100);
    config.move.retire_time = absl::Milliseconds(100);
    auto opened = Bus::Open(config, std::move(options));
    REQUIRE(opened.ok());
    bus = *std::move(opened);
  }
  ~MoveRig() {
    bus.reset();
    for (const std::string& name : names) memory::Broker::Remove(name);
  }
  // The config in which "q" is at `broker` next.
  Config Next(const std::string& broker) {
    Config next = bus->config();
    QueueConfig& q = next.queues["q"];
    q.was.push_back({q.broker, q.generation, q.entity});
    q.broker = broker;
    ++q.generation;
    return next;
  }
  std::unique_ptr<Moving> Move(const std::string& broker) {
    auto plan = bus->Plan(Next(broker));
    REQUIRE(plan.ok());
    REQUIRE(plan->moves.size() == 1);
    auto moving = bus->Apply(*plan);
    REQUIRE(moving.ok());
    return *std::move(moving);
  }

  Config config;
  std::map<std::string, std::shared_ptr<memory::Broker>> brokers;
  std::vector<std::string> names;
  std::unique_ptr<Bus> bus;
};

// Sends numbered messages of some keys until it is stopped.
class Load {
 public:
  explicit Load(Bus& bus)
      : sender_(*bus.OpenSender("q")), thread_([this] { Run(); }) {}
  // How many were sent, each accepted.
  int Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return sent_;
  }
  ~Load() { Stop(); }
  int sent() const { return sent_; }

 private:
  void Run() {
    while (!stop_) {
      Message message(std::to_string(sent_ / kKeys));
      message.set_key(std::to_string(sent_ % kKeys));
      if (sender_->Send(std::move(message)).ok()) ++sent_;
    }
  }
  std::unique_ptr<Sender> sender_;
  std::atomic<bool> stop_{false};
  std::atomic<int> sent_{0};
  std::thread thread_;
};

// Receives until `expected` came; true when each key's came in order, once.
bool CameInOrder(Receiver& receiver, int expected) {
  std::map<std::string, int> next;
  for (int i = 0; i < expected; ++i) {
    auto delivery = receiver.Receive(kLong);
    if (!delivery.ok()) {
      UNSCOPED_INFO(i << " of " << expected << ": " << delivery.status());
      return false;
    }
    const std::string key(delivery->message().key());
    const int number = std::stoi(std::string(delivery->message().body_view()));
    if (number != next[key]++) {
      UNSCOPED_INFO("key " << key << ": " << number << " is not "
                           << next[key] - 1);
      return false;
    }
    if (!delivery->Complete().ok()) return false;
  }
  return true;
}

TEST_CASE("a queue moves under load, once and back: in order, none lost") {
  MoveRig rig;
  Load load(*rig.bus);
  auto receiver = *rig.bus->OpenReceiver("q");
  bool in_order = false;
  std::atomic<int> expected{-1};
  std::thread reader([&] {
    std::map<std::string, int> next;
    int got = 0;
    in_order = true;
    while (expected < 0 || got < expected) {
      auto delivery = receiver->Receive(absl::Milliseconds(100));
      if (!delivery.ok()) continue;
      const std::string key(delivery->message().key());
      const int number =
          std::stoi(std::string(delivery->message().body_view()));
      in_order = in_order && number == next[key]++;
      if (delivery->Complete().ok()) ++got;
    }
  });
  for (const char* broker : {"b", "a", "b"}) {
    const int before = load.sent();
    CHECK(Eventually([&] { return load.sent() > before + 200; }));
    auto moving = rig.Move(broker);
    const absl::Status moved = moving->Wait(kLong);
    INFO(moved);
    CHECK(moved.ok());
    const MoveReport report = moving->reports().front();
    CHECK(report.to == broker);
    CHECK(report.drained_all);
  }
  expected = load.Stop();
  reader.join();
  CHECK(in_order);
}

TEST_CASE("what was sent to the old broker is received before the new one's") {
  MoveRig rig;
  {
    Load load(*rig.bus);
    CHECK(Eventually([&] { return load.sent() >= 500; }));
    auto moving = rig.Move("b");
    const int before = load.sent();
    // Nobody reads: the queue has moved, and is not drained.
    CHECK(Eventually([&] { return load.sent() >= before + 500; }));
    CHECK(moving->reports().front().state == "draining");
    CHECK_FALSE(moving->reports().front().drained_all);
    const int sent = load.Stop();
    auto receiver = *rig.bus->OpenReceiver("q");
    CHECK(CameInOrder(*receiver, sent));
    CHECK(moving->Wait(kLong).ok());
    CHECK(moving->reports().front().drained > 0);
  }
}

TEST_CASE("a move to where the entity is not there changes nothing") {
  MoveRig rig;
  auto sender = *rig.bus->OpenSender("q");
  REQUIRE(sender->Send(Message("x")).ok());
  Config next = rig.Next("strict");
  next.queues["q"].create = false;
  auto plan = rig.bus->Plan(next);
  INFO(plan.status());
  REQUIRE(plan.ok());
  auto moving = rig.bus->Apply(*plan);
  REQUIRE(moving.ok());
  const absl::Status moved = (*moving)->Wait(kLong);
  CHECK(absl::IsNotFound(moved));
  CHECK(sender->Send(Message("y")).ok());
  CHECK((*moving)->reports().front().state == "active");
}

TEST_CASE("a route goes on while its source and destination move") {
  MoveRig rig;
  RouteConfig route;
  route.from = "q";
  route.to = "to";
  auto running = *rig.bus->StartRoute(route);
  auto sink = *rig.bus->OpenReceiver("to");
  Load load(*rig.bus);
  CHECK(Eventually([&] { return load.sent() >= 300; }));
  CHECK(rig.Move("b")->Wait(kLong).ok());
  CHECK(Eventually([&] { return load.sent() >= 600; }));
  CHECK(CameInOrder(*sink, load.Stop()));
}

}  // namespace
}  // namespace tieline
