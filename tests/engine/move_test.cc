// Queues that move while they are used: nothing is lost, order per key is kept,
// and handles go on.
#include "tieline/move.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"
#include "tests/store/temp_folder.h"

namespace tieline {
namespace {

constexpr int kKeys = 20;

// Memory brokers "a" and "b", "strict", which creates nothing by itself, and
// "sink"; queue "q", ordered by key, and queue "plain" at "a", and queue "to"
// at "sink".
struct MoveRig {
  explicit MoveRig(BusOptions options = {}) {
    for (const char* broker : {"a", "b", "sink", "strict"}) {
      memory::BrokerOptions with;
      with.auto_create = std::string(broker) != "strict";
      brokers[broker] = memory_brokers.Add(broker, &config, std::move(with));
    }
    QueueConfig& q = config.queues["q"];
    q.name = q.entity = "q";
    q.broker = "a";
    q.ordered = Order::kPerKey;
    q.create = true;
    QueueConfig& plain = config.queues["plain"];
    plain = q;
    plain.name = plain.entity = "plain";
    plain.ordered = Order::kNone;
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
  // The config in which "q" is at `broker` next.
  Config Next(const std::string& broker) const {
    Config next = bus->config();
    QueueConfig& q = next.queues["q"];
    q.was.push_back({q.broker, q.generation, q.entity});
    q.broker = broker;
    ++q.generation;
    return next;
  }
  std::unique_ptr<Moving> Move(const std::string& broker) const {
    auto plan = bus->Plan(Next(broker));
    REQUIRE(plan.ok());
    REQUIRE(plan->moves.size() == 1);
    auto moving = bus->Apply(*plan);
    REQUIRE(moving.ok());
    return *std::move(moving);
  }

  Config config;
  MemoryBrokers memory_brokers;
  std::map<std::string, std::shared_ptr<memory::Broker>> brokers;
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

TEST_CASE("queues of one plan move together, or not at all") {
  MoveRig rig;
  auto q = *rig.bus->OpenSender("q");
  auto plain = *rig.bus->OpenSender("plain");
  CHECK(q->Send(Message("0").set_key("k")).ok());
  CHECK(plain->Send(Message("0")).ok());
  const auto apply = [&](const std::string& broker) {
    Config next = rig.Next("b");
    QueueConfig& other = next.queues["plain"];
    other.was.push_back({other.broker, other.generation, other.entity});
    other.broker = broker;
    other.create = broker != "strict";
    ++other.generation;
    return *rig.bus->Apply(*rig.bus->Plan(next));
  };
  // One of them has no entity there.
  auto moving = apply("strict");
  CHECK_FALSE(moving->Wait(kLong).ok());
  CHECK(Eventually([&] {
    const std::vector<MoveReport> reports = moving->reports();
    return std::all_of(reports.begin(), reports.end(), [](const auto& report) {
      return report.state == "active" && !report.status.ok();
    });
  }));
  for (const MoveReport& report : moving->reports()) {
    CHECK(report.generation == 2);
    CHECK_FALSE(report.drained_all);
    const bool is_other = report.queue == "q";
    CHECK(absl::IsCancelled(report.status) == is_other);
  }
  for (const char* queue : {"q", "plain"}) {
    CHECK(rig.bus->config().queues[queue].broker == "a");
    CHECK(rig.bus->config().queues[queue].generation == 1);
  }
  CHECK(q->Send(Message("1").set_key("k")).ok());
  // Both can.
  rig.config = rig.bus->config();
  moving = apply("b");
  auto receiver = *rig.bus->OpenReceiver("q");
  CHECK(CameInOrder(*receiver, 2));
  auto others = *rig.bus->OpenReceiver("plain");
  CHECK(CameInOrder(*others, 1));
  CHECK(moving->Wait(kLong).ok());
  for (const char* queue : {"q", "plain"}) {
    CHECK(rig.bus->config().queues[queue].broker == "b");
  }
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

TEST_CASE("a broker that does not answer is cut off at the switch") {
  MoveRig rig;
  rig.config = rig.bus->config();
  auto receiver = *rig.bus->OpenReceiver("q");
  auto sender = *rig.bus->OpenSender("q");
  for (int i = 0; i < 3; ++i) {
    Message message(std::to_string(i));
    message.set_key("k");
    REQUIRE(sender->Send(std::move(message)).ok());
  }
  rig.brokers["a"]->Stall(true);
  std::atomic<int> accepted{0};
  for (int i = 3; i < 6; ++i) {
    std::vector<Message> batch;
    batch.emplace_back(std::to_string(i));
    batch.front().set_key("k");
    REQUIRE(sender
                ->SendBatch(std::move(batch),
                            [&](std::span<const SendResult> results) {
                              if (results.front().ok()) ++accepted;
                            })
                .ok());
  }
  Config next = rig.Next("b");
  next.move.fence_timeout = absl::Milliseconds(50);
  auto moving = *rig.bus->Apply(*rig.bus->Plan(next));
  // The last three are accepted, though the old broker never answers.
  CHECK(Eventually([&] { return accepted == 3; }));
  CHECK(moving->reports().front().in_flight > 0);
  rig.brokers["a"]->Stall(false);
  std::set<int> got;
  int last = -1;
  while (got.size() < 6) {
    auto delivery = receiver->Receive(kLong);
    REQUIRE(delivery.ok());
    const int number = std::stoi(std::string(delivery->message().body_view()));
    if (got.insert(number).second) CHECK(number == ++last);
    CHECK(delivery->Complete().ok());
  }
  CHECK(moving->Wait(kLong).ok());
}

TEST_CASE("on the operator's word what a dead broker has comes late") {
  MoveRig rig;
  auto sender = *rig.bus->OpenSender("q");
  for (int i = 0; i < 10; ++i) {
    REQUIRE(sender->Send(Message(std::to_string(i)).set_key("k")).ok());
  }
  rig.brokers["a"]->RefuseConnections(true);
  rig.brokers["a"]->DropConnections();
  auto moving = rig.Move("b");
  REQUIRE(sender->Send(Message("10").set_key("k"), {.timeout = kLong}).ok());
  auto receiver = *rig.bus->OpenReceiver("q");
  // Held: the old broker may come back.
  CHECK_FALSE(receiver->Receive(absl::Milliseconds(200)).ok());
  moving->Proceed();
  auto first = receiver->Receive(kLong);
  REQUIRE(first.ok());
  CHECK(first->message().body_view() == "10");
  CHECK_FALSE(first->late());
  CHECK(first->Complete().ok());
  CHECK(moving->reports().front().proof == "given up");
  rig.brokers["a"]->RefuseConnections(false);
  for (int i = 0; i < 10; ++i) {
    auto delivery = receiver->Receive(kLong);
    REQUIRE(delivery.ok());
    CHECK(delivery->message().body_view() == std::to_string(i));
    CHECK(delivery->late());
    CHECK(delivery->Complete().ok());
  }
}

TEST_CASE("an unordered queue is read at both brokers") {
  MoveRig rig;
  Config config = rig.bus->config();
  auto sender = *rig.bus->OpenSender("plain");
  REQUIRE(sender->Send(Message("old")).ok());
  Config next = config;
  QueueConfig& plain = next.queues["plain"];
  plain.was.push_back({plain.broker, plain.generation, plain.entity});
  plain.broker = "b";
  plain.generation = 2;
  auto moving = *rig.bus->Apply(*rig.bus->Plan(next));
  CHECK(Eventually(
      [&] { return moving->reports().front().state == "draining"; }));
  REQUIRE(sender->Send(Message("new")).ok());
  auto receiver = *rig.bus->OpenReceiver("plain");
  std::set<std::string> got;
  std::vector<Delivery> in_hand;
  while (got.size() < 2) {
    auto delivery = receiver->Receive(kLong);
    REQUIRE(delivery.ok());
    got.insert(std::string(delivery->message().body_view()));
    in_hand.push_back(*std::move(delivery));
  }
  CHECK_FALSE(moving->reports().front().drained_all);
  for (Delivery& delivery : in_hand) CHECK(delivery.Complete().ok());
  CHECK(moving->Wait(kLong).ok());
}

TEST_CASE("a move can be cancelled before it is on disk, and not after") {
  MoveRig rig;
  auto sender = *rig.bus->OpenSender("q");
  REQUIRE(sender->Send(Message("1")).ok());
  // Nobody answers there, so that it is being prepared for a while.
  rig.brokers["b"]->RefuseConnections(true);
  auto moving = rig.Move("b");
  CHECK(Eventually(
      [&] { return moving->reports().front().state == "preparing"; }));
  CHECK(sender->Send(Message("2")).ok());
  CHECK(moving->Cancel().ok());
  CHECK(
      Eventually([&] { return moving->reports().front().state == "active"; }));
  CHECK(rig.bus->config().queues["q"].broker == "a");
  rig.brokers["b"]->RefuseConnections(false);
  auto again = rig.Move("b");
  CHECK(
      Eventually([&] { return again->reports().front().state == "draining"; }));
  CHECK(again->Cancel().code() == absl::StatusCode::kFailedPrecondition);
  // What is planned once more is the same move.
  CHECK(rig.bus->Plan(rig.bus->config())->moves.empty());
}

TEST_CASE("a plan that can't be is refused, with the reason") {
  MoveRig rig;
  const auto refused = [&](const Config& config) {
    const absl::Status status = rig.bus->Plan(config).status();
    INFO(status);
    return !status.ok() && !status.message().empty();
  };
  Config same_generation = rig.Next("b");
  same_generation.queues["q"].generation = 1;
  same_generation.queues["q"].was.clear();
  CHECK(refused(same_generation));
  Config forgets = rig.Next("b");
  forgets.queues["q"].was.clear();
  CHECK(refused(forgets));
  Config other_broker = rig.Next("b");
  other_broker.brokers["a"].url.hosts[0].host += "x";
  CHECK(refused(other_broker));
}

TEST_CASE(
    "what is left at the old broker is counted, and told in the journal") {
  const testing::TempFolder folder;
  MoveRig rig;
  Config config = rig.bus->config();
  config.state_file = folder.File("state.db");
  rig.bus.reset();
  rig.bus = *Bus::Open(config);
  auto sender = *rig.bus->OpenSender("q");
  for (const int hours : {1, 2}) {
    Message later("later");
    later.set_deliver_at(absl::Now() + absl::Hours(hours));
    REQUIRE(sender->Send(std::move(later)).ok());
  }
  auto receiver = *rig.bus->OpenReceiver("q");
  auto moving = rig.Move("b");
  CHECK(moving->Wait(kLong).ok());
  CHECK(Eventually([&] { return moving->reports().front().over; }));
  CHECK(moving->reports().front().left == 2);
  CHECK(moving->reports().front().held == 0);
  const auto told = [&] {
    const auto journal = rig.bus->ReadJournal(1, 100);
    return journal.ok() &&
           std::any_of(journal->begin(), journal->end(), [](const auto& entry) {
             return entry.kind == "report" &&
                    entry.json.find(R"("left":2)") != std::string::npos &&
                    entry.json.find(R"("proof":"exact")") != std::string::npos;
           });
  };
  CHECK(Eventually(told));
  receiver.reset();
  sender.reset();
  rig.bus.reset();
}

TEST_CASE("where a queue is survives a restart, whatever the file says") {
  const std::string file = NextName("/tmp/tieline-move-test-") + "-" +
                           std::to_string(getpid()) + ".db";
  MoveRig rig;
  Config config = rig.bus->config();
  config.state_file = file;
  rig.bus.reset();
  rig.bus = *Bus::Open(config);
  auto sender = *rig.bus->OpenSender("q");
  REQUIRE(sender->Send(Message("old").set_key("k")).ok());
  auto moving = rig.Move("b");
  CHECK(Eventually(
      [&] { return moving->reports().front().state == "draining"; }));
  REQUIRE(sender->Send(Message("new").set_key("k")).ok());
  sender.reset();
  moving.reset();
  rig.bus.reset();
  // The file still has the first generation.
  rig.bus = *Bus::Open(config);
  const QueueConfig q = rig.bus->config().queues["q"];
  CHECK(q.broker == "b");
  CHECK(q.generation == 2);
  CHECK(q.was.size() == 1);
  auto receiver = *rig.bus->OpenReceiver("q");
  for (const char* body : {"old", "new"}) {
    auto delivery = receiver->Receive(kLong);
    REQUIRE(delivery.ok());
    CHECK(delivery->message().body_view() == body);
    CHECK(delivery->Complete().ok());
  }
  CHECK(Eventually([&] {
    const std::vector<MoveReport> moves = rig.bus->moves();
    return moves.size() == 1 && moves.front().generation == 2 &&
           moves.front().from == "a" && moves.front().to == "b" &&
           moves.front().drained_all;
  }));
  const auto journal = rig.bus->ReadJournal(1, 100);
  REQUIRE(journal.ok());
  CHECK(journal->size() > 2);
  receiver.reset();
  rig.bus.reset();
  for (const char* more : {"", "-wal", ".lock", ".reserve"}) {
    std::remove((file + more).c_str());
  }
}

}  // namespace
}  // namespace tieline
