// What a broker accepted is kept for some time, and sent again when the queue
// leaves that broker without an answer.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "lib/engine/spool_lanes.h"
#include "lib/store/store.h"
#include "tests/engine/spool_rig.h"

namespace tieline {
namespace {

using memory::SendFault;

struct RetainRig : SpoolRig {
  RetainRig() {
    QueueConfig& q = config.queues["q"];
    q.spool = absl::ZeroDuration();
    q.retain = absl::Minutes(10);
    config.move.dead_after = absl::Milliseconds(200);
    config.move.fence_timeout = absl::Milliseconds(200);
  }
  bool Retains(uint64_t count) const {
    return Eventually([&] { return Metrics().retained == count; });
  }
};

// With a spool that has room for a hundred of its messages.
struct SmallRetainRig : RetainRig {
  SmallRetainRig() {
    config.spool_bytes = uint64_t{1} << 20;
    config.queues["q"].spool = SpoolRig::kAfter;
    Open();
    sender = OpenSender();
  }
  // Half of the bound, in messages of this size, and what is on its way.
  bool RetainsHalf() const {
    return Eventually([&] {
      const uint64_t kept = Metrics().retained;
      return kept >= 20 && kept <= 60;
    });
  }

  const std::string body = std::string(10'000, 'x');
  std::unique_ptr<Sender> sender;
};

// Of one key; a broker has to accept each.
void SendNumbers(Sender& sender, int from, int to) {
  for (const std::string& number : Numbers(from, to)) {
    REQUIRE(sender.Send(Keyed("k", number)).ok());
  }
}

struct Came {
  std::string body;
  bool late = false;
};

std::vector<Came> ReceiveMarked(Bus& bus, size_t count) {
  std::vector<Came> came;
  auto receiver = *bus.OpenReceiver("q");
  while (came.size() < count) {
    auto delivery = receiver->Receive(kLong);
    if (!delivery.ok()) break;
    came.push_back(
        {std::string(delivery->message().body_view()), delivery->late()});
    CHECK(delivery->Complete().ok());
  }
  CHECK(receiver->Close(kLong).ok());
  return came;
}

TEST_CASE("what a dead broker had accepted comes from the new one, in order") {
  const bool hangs = GENERATE(false, true);
  RetainRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  SendNumbers(*sender, 0, 10);
  CHECK(rig.Retains(10));
  if (hangs) {
    rig.brokers["a"]->Stall(true);
  } else {
    rig.Down("a");
  }
  // Nobody knows whether the broker had these.
  std::atomic<int> accepted{0};
  for (int i = 10; i < 13; ++i) {
    std::vector<Message> one;
    one.push_back(Keyed("k", std::to_string(i)));
    REQUIRE(sender
                ->SendBatch(std::move(one),
                            [&](std::span<const SendResult> results) {
                              if (results[0].state == SendState::kAccepted) {
                                ++accepted;
                              }
                            })
                .ok());
  }
  const auto moving = rig.Move("b");
  CHECK(sender->Send(Keyed("k", "13"), {.timeout = kLong}).state ==
        SendState::kAccepted);
  CHECK(Eventually([&] { return accepted == 3; }));
  // Nobody has to say that the dead one is given up.
  CHECK(rig.Receive(14) == Numbers(0, 14));
  CHECK(moving->Wait(kLong).ok());
  const MoveReport report = moving->reports().front();
  CHECK(report.proof == "given up");
  CHECK(Eventually([&] { return moving->reports().front().replayed == 10; }));
  const auto journal = rig.JournalOf("spool");
  REQUIRE(journal.size() == 2);
  CHECK(journal[0].find("\"replaying\"") != std::string::npos);
  CHECK(journal[1].find("\"replayed\"") != std::string::npos);
  // The new broker's are retained now.
  CHECK(rig.Retains(14));
}

TEST_CASE("nothing is sent again where the old broker answers") {
  RetainRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  SendNumbers(*sender, 0, 10);
  const auto moving = rig.Move("b");
  SendNumbers(*sender, 10, 20);
  CHECK(rig.Receive(20) == Numbers(0, 20));
  CHECK(moving->Wait(kLong).ok());
  CHECK(moving->reports().front().replayed == 0);
  CHECK(moving->reports().front().proof == "exact");
  CHECK(rig.Retains(20));
  CHECK(rig.brokers["b"]->Inspect("q")->depth() == 0);
}

TEST_CASE("a broker that dies while it is drained: what it had comes late") {
  RetainRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  SendNumbers(*sender, 0, 10);
  const auto moving = rig.Move("b");
  CHECK(Eventually(
      [&] { return moving->reports().front().state == "draining"; }));
  SendNumbers(*sender, 10, 13);
  CHECK(rig.Retains(13));
  rig.Down("a");
  moving->Proceed();
  const std::vector<Came> came = ReceiveMarked(*rig.bus, 13);
  std::vector<std::string> in_time;
  std::vector<std::string> late;
  for (const Came& one : came) (one.late ? late : in_time).push_back(one.body);
  CHECK(in_time == Numbers(10, 13));
  CHECK(late == Numbers(0, 10));
  CHECK(Eventually([&] { return moving->reports().front().replayed == 10; }));
}

TEST_CASE("what is retained survives a restart, and goes when it is too old") {
  RetainRig rig;
  rig.Open();
  {
    auto first = rig.OpenSender();
    auto second = rig.OpenSender();
    REQUIRE(first->Send(Keyed("k", "0")).ok());
    REQUIRE(second->Send(Keyed("l", "1")).ok());
    REQUIRE(first->Send(Keyed("k", "2")).ok());
  }
  SECTION("sent again by the next process") {
    rig.bus.reset();
    rig.Open();
    auto sender = rig.OpenSender();
    CHECK(rig.Retains(3));
    rig.Down("a");
    const auto moving = rig.Move("b");
    REQUIRE(sender->Send(Keyed("k", "3"), {.timeout = kLong}).ok());
    const std::vector<std::string> came = rig.Receive(4);
    CHECK(std::set(came.begin(), came.end()) ==
          std::set<std::string>{"0", "1", "2", "3"});
    CHECK(std::find(came.begin(), came.end(), "0") <
          std::find(came.begin(), came.end(), "2"));
    CHECK(came.back() == "3");
  }
  SECTION("not kept any more") {
    rig.bus.reset();
    rig.config.queues["q"].retain = absl::ZeroDuration();
    rig.Open();
    auto sender = rig.OpenSender();
    REQUIRE(sender->Send(Keyed("k", "3")).ok());
    rig.bus->Close(kLong).IgnoreError();
    rig.bus.reset();
    StoreOptions options;
    options.path = rig.config.state_file;
    auto store = *Store::Open(options);
    CHECK(store->state().spool_entries == 0);
  }
  SECTION("old") {
    rig.bus.reset();
    rig.config.queues["q"].retain = absl::Seconds(1);
    rig.Open();
    auto sender = rig.OpenSender();
    CHECK(rig.Retains(3));
    CHECK(rig.Retains(0));
  }
}

TEST_CASE("a process that ends while it sends again goes on when it is back") {
  RetainRig rig;
  rig.Open();
  auto sender = rig.OpenSender();
  SendNumbers(*sender, 0, 10);
  CHECK(rig.Retains(10));
  rig.Down("a");
  constexpr int kMany = 1'000'000;
  REQUIRE(rig.brokers["b"]->CreateQueue("q", {}).ok());
  REQUIRE(rig.brokers["b"]->FailSends("q", SendFault::kNotTaken, kMany).ok());
  {
    const auto moving = rig.Move("b");
    CHECK(Eventually([&] { return !rig.JournalOf("spool").empty(); }));
  }
  sender.reset();
  rig.bus.reset();
  REQUIRE(rig.brokers["b"]->FailSends("q", SendFault::kNotTaken, 0).ok());
  rig.Open();
  sender = rig.OpenSender();
  REQUIRE(sender->Send(Keyed("k", "10"), {.timeout = kLong}).ok());
  CHECK(rig.brokers["b"]->Inspect("q")->depth() == 11);
  // Once more: there is nothing to go on with.
  sender.reset();
  rig.bus.reset();
  rig.Open();
  sender = rig.OpenSender();
  REQUIRE(sender->Send(Keyed("k", "11"), {.timeout = kLong}).ok());
  CHECK(rig.brokers["b"]->Inspect("q")->depth() == 12);
}

TEST_CASE(
    "what is spooled behind a replay that sends nothing is sent after it") {
  RetainRig rig;
  rig.config.queues["q"].spool = SpoolRig::kAfter;
  rig.Open();
  auto sender = rig.OpenSender();
  SendNumbers(*sender, 0, 3);
  CHECK(rig.Retains(3));
  sender.reset();
  rig.bus.reset();
  {
    // An earlier one that was not noted as ended: of generations before these.
    StoreOptions options;
    options.path = rig.config.state_file;
    auto store = *Store::Open(options);
    StoreBatch batch;
    batch.Append(*store->AddQueue("q replays 1"), 0, "0 in order");
    REQUIRE(store->Commit(std::move(batch)).ok());
  }
  rig.Down("a");
  rig.Open();
  sender = rig.OpenSender();
  REQUIRE(sender->Send(Keyed("k", "3")).state == SendState::kSpooled);
  rig.Up("a");
  CHECK(rig.IsEmpty());
  CHECK(rig.brokers["a"]->Inspect("q")->depth() == 4);
}

TEST_CASE("retained messages make room for newer ones, and for the spool") {
  SmallRetainRig rig;
  for (int i = 0; i < 300; ++i) {
    REQUIRE(rig.sender->Send(Keyed("k", rig.body)).ok());
  }
  CHECK(rig.RetainsHalf());
  rig.Down("a");
  for (int i = 0; i < 30; ++i) {
    const SendResult result = rig.sender->Send(Keyed("k", rig.body));
    INFO(i << ": " << result.status << "; " << rig.Metrics().retained);
    REQUIRE(result.state == SendState::kSpooled);
  }
}

TEST_CASE("what is retained stays within its bound after a burst beyond it") {
  SmallRetainRig rig;
  std::vector<Message> burst;
  for (int i = 0; i < 300; ++i) burst.push_back(Keyed("k", rig.body));
  for (const SendResult& result : rig.sender->SendBatch(std::move(burst))) {
    REQUIRE(result.ok());
  }
  CHECK(rig.RetainsHalf());
  rig.Down("a");
  REQUIRE(rig.sender->Send(Keyed("k", rig.body)).state == SendState::kSpooled);
}

TEST_CASE("a route's destination dies: what it had is sent again") {
  RetainRig rig;
  QueueConfig& from = rig.config.queues["from"];
  from = rig.config.queues["q"];
  from.name = from.entity = "from";
  from.broker = "b";
  from.retain = absl::ZeroDuration();
  rig.Open();
  RouteConfig route;
  route.from = "from";
  route.to = "q";
  auto running = *rig.bus->StartRoute(route);
  auto source = *rig.bus->OpenSender("from");
  SendNumbers(*source, 0, 10);
  CHECK(Eventually(
      [&] { return rig.bus->metrics().routes.front().relayed == 10; }));
  CHECK(Eventually([&] {
    uint64_t retained = 0;
    for (const auto& each : rig.bus->metrics().senders) {
      retained += each.retained;
    }
    return retained == 10;
  }));
  rig.Down("a");
  const auto moving = rig.Move("b");
  SendNumbers(*source, 10, 20);
  CHECK(rig.Receive(20) == Numbers(0, 20));
}

// A broker dies under load again and again; each time the queue moves to the
// other, which is back by then.
TEST_CASE("brokers die under load: in order per key, none lost") {
  constexpr int kKeys = 5;
  RetainRig rig;
  rig.config.move.fence_timeout = absl::Milliseconds(50);
  rig.config.move.dead_after = absl::Milliseconds(50);
  rig.config.queues["q"].dedupe = absl::Minutes(10);
  rig.Open();
  std::atomic<bool> stop{false};
  std::atomic<int> sent{0};
  std::atomic<int> handled{0};
  std::thread load([&] {
    auto sender = rig.OpenSender();
    while (!stop) {
      // What is kept of ids has a bound, and the queue one.
      if (sent > handled + 500) {
        std::this_thread::yield();
        continue;
      }
      const int i = sent;
      const SendResult result = sender->Send(
          Keyed(std::to_string(i % kKeys), std::to_string(i / kKeys)),
          {.timeout = kLong});
      if (result.state == SendState::kAccepted) ++sent;
    }
  });
  std::map<std::string, std::vector<int>> came;
  std::set<std::string> seen;
  std::mutex mu;
  auto receiver = *rig.bus->OpenReceiver("q");
  auto processor = receiver->Process({}, [&](Delivery& delivery) {
    const std::string key(delivery.message().key());
    const std::string body(delivery.message().body_view());
    const std::scoped_lock lock(mu);
    if (!seen.insert(key + ":" + body).second) return absl::OkStatus();
    if (!delivery.late()) came[key].push_back(std::stoi(body));
    ++handled;
    return absl::OkStatus();
  });
  for (int round = 0; round < 3; ++round) {
    const int before = sent;
    CHECK(Eventually([&] { return sent > before + 200; }));
    const char* dies = round % 2 == 0 ? "a" : "b";
    const char* next = round % 2 == 0 ? "b" : "a";
    rig.Down(dies);
    const auto moving = rig.Move(next);
    CHECK(moving->Wait(kLong).ok());
    rig.Up(dies);
    // What it has comes late; then it is not used any more.
    const bool is_over =
        Eventually([&] { return moving->reports().front().over; });
    const MoveReport report = moving->reports().front();
    INFO(report.state << ", " << report.proof << ", " << report.late << ", "
                      << report.replayed << ", " << report.status);
    REQUIRE(is_over);
  }
  stop = true;
  load.join();
  CHECK(Eventually([&] { return handled == sent; }));
  processor.reset();
  for (const auto& [key, numbers] : came) {
    INFO("key " << key);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

}  // namespace
}  // namespace tieline
