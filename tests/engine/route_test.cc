// Routes under faults: nothing lost, order per key, and a clean stop.
#include "tieline/route.h"

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

using driver::Fate;

std::vector<Message> Numbered(int from, int n, int keys) {
  std::vector<Message> messages;
  for (int i = from; i < from + n; ++i) {
    messages.push_back(
        Message(std::to_string(i)).set_key("k" + std::to_string(i % keys)));
  }
  return messages;
}

// What is in a queue, completed.
std::vector<Message> TakeAll(Bus& bus, const std::string& url) {
  std::vector<Message> all;
  auto receiver = *bus.OpenReceiver(url);
  for (;;) {
    auto batch = receiver->ReceiveBatch(5000, absl::Milliseconds(20));
    if (!batch.ok()) {
      // A slow machine may bring nothing for a while.
      if (*bus.Depth(url, kLong) == 0) break;
      continue;
    }
    for (Delivery& d : *batch) all.push_back(d.message());
    CHECK(receiver->CompleteAll(*std::move(batch)).ok());
  }
  CHECK(receiver->Flush(kLong).ok());
  return all;
}

TEST_CASE("a route stopped under load a hundred times: 0 lost, 0 twice") {
  MemoryRig rig;
  RouteConfig config;
  config.from = rig.Url("from");
  config.to = rig.Url("to");
  auto sender = *rig.bus->OpenSender(config.from);
  std::atomic<bool> stop{false};
  REQUIRE(sender->WaitOpen(kLong).ok());
  std::atomic<int> sent{0};
  std::atomic<int> refused{0};
  std::thread producer([&] {
    while (!stop) {
      if (rig.broker->Inspect("from")->active > 3000) {
        std::this_thread::yield();
        continue;
      }
      auto results = sender->SendBatch(Numbered(sent, 50, 10));
      for (const SendResult& r : results) refused += r.ok() ? 0 : 1;
      sent += 50;
    }
  });
  uint64_t relayed = 0;
  for (int round = 0; round < 100; ++round) {
    auto route = rig.bus->StartRoute(config);
    REQUIRE(route.ok());
    REQUIRE(Eventually([&] { return (*route)->metrics().relayed > 0; }));
    const absl::Time start = absl::Now();
    const absl::Status stopped = (*route)->Stop(absl::Seconds(5));
    INFO(stopped.ToString());
    REQUIRE(stopped.ok());
    REQUIRE(absl::Now() - start < absl::Seconds(5));
    REQUIRE((*route)->metrics().in_flight == 0);
    relayed += (*route)->metrics().relayed;
  }
  stop = true;
  producer.join();
  CHECK(refused == 0);
  const std::vector<Message> arrived = TakeAll(*rig.bus, config.to);
  const std::vector<Message> rest = TakeAll(*rig.bus, config.from);
  CHECK(arrived.size() == relayed);
  CHECK(arrived.size() + rest.size() == static_cast<size_t>(sent));
  std::set<std::string> bodies;
  for (const auto* list : {&arrived, &rest}) {
    for (const Message& m : *list) bodies.insert(std::string(m.body_view()));
  }
  CHECK(bodies.size() == static_cast<size_t>(sent));
  for (const Message& m : rest) CHECK_FALSE(m.has(Field::kPartition));
}

TEST_CASE("connections dropped while relaying: 0 lost, order for each key") {
  MemoryRig rig;
  RouteConfig config;
  config.from = rig.Url("from");
  config.to = rig.Url("to");
  auto sender = *rig.bus->OpenSender(config.from);
  constexpr int kCount = 20000;
  for (const SendResult& r : sender->SendBatch(Numbered(0, kCount, 10))) {
    REQUIRE(r.ok());
  }
  auto route = *rig.bus->StartRoute(config);
  uint64_t before = 0;
  for (int i = 0; i < 40; ++i) {
    REQUIRE(Eventually([&] {
      const uint64_t now = route->metrics().relayed;
      return now > before + 100 || rig.broker->Inspect("from")->depth() == 0;
    }));
    before = route->metrics().relayed;
    rig.broker->DropConnections();
  }
  REQUIRE(
      Eventually([&] { return rig.broker->Inspect("from")->depth() == 0; }));
  CHECK(route->Stop(kLong).ok());
  std::set<std::string> seen;
  std::map<std::string, int> last;
  bool in_order = true;
  for (const Message& m : TakeAll(*rig.bus, config.to)) {
    if (!seen.insert(std::string(m.body_view())).second) continue;
    const int i = std::stoi(std::string(m.body_view()));
    auto [it, fresh] = last.try_emplace(std::string(m.key()), i);
    if (!fresh && it->second > i) in_order = false;
    it->second = i;
  }
  CHECK(seen.size() == kCount);
  CHECK(in_order);
}

TEST_CASE("a refused message waits in its key, and is dead-lettered at last") {
  ScriptedRig rig;
  rig.broker->SetScript([](const Message& m) -> std::optional<driver::Outcome> {
    if (m.body_view() == "0" && !m.properties().Find("dead-letter-reason")) {
      return Fated(Fate::kRejected, absl::PermissionDeniedError("never"));
    }
    return Fated(Fate::kAccepted);
  });
  for (Message& m : Numbered(0, 30, 3)) rig.broker->Put("q", std::move(m));
  RouteConfig config;
  config.from = "q";
  config.to = "to";
  config.dead_letter_after = 3;
  auto route = *rig.bus->StartRoute(config);
  REQUIRE(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(route->Stop(kLong).ok());
  CHECK(rig.broker->Accepted("to").size() == 29);
  const std::vector<Message> dead = rig.broker->Accepted("q.dead-letter");
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].body_view() == "0");
  CHECK(route->metrics().dead_lettered == 1);
  CHECK(route->metrics().failed_attempts == 3);
  std::map<std::string, int> last;
  for (const Message& m : rig.broker->Accepted("to")) {
    const int i = std::stoi(std::string(m.body_view()));
    auto [it, fresh] = last.try_emplace(std::string(m.key()), -1);
    CHECK(i > it->second);
    it->second = i;
  }
}

TEST_CASE("a lane taken away while a route's destination is slow") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  std::atomic<bool> hold{true};
  rig.broker->SetScript([&](const Message&) -> std::optional<driver::Outcome> {
    if (hold) return std::nullopt;
    return Fated(Fate::kAccepted);
  });
  for (Message& m : Numbered(0, 100, 3)) rig.broker->Put("q", std::move(m));
  RouteConfig config;
  config.from = "q";
  config.to = "to";
  auto route = *rig.bus->StartRoute(config);
  REQUIRE(Eventually([&] { return rig.broker->submits() >= 3; }));
  rig.broker->CloseLane(kLong);
  hold = false;
  rig.broker->AskAgain();
  // Everything in hand was relayed and settled before the lane was given up.
  REQUIRE(Eventually([&] { return rig.broker->lanes_dropped() == 1; }));
  CHECK(rig.broker->Depth("q") == 0);
  CHECK(rig.broker->Accepted("to").size() == 100);
  CHECK(route->Stop(kLong).ok());
}

TEST_CASE("a stop whose destination does not answer ends in time, loses none") {
  ScriptedRig rig;
  rig.broker->SetScript([](const Message&) { return std::nullopt; });
  for (Message& m : Numbered(0, 50, 5)) rig.broker->Put("q", std::move(m));
  RouteConfig config;
  config.from = "q";
  config.to = "to";
  auto route = *rig.bus->StartRoute(config);
  REQUIRE(Eventually([&] { return rig.broker->submits() >= 5; }));
  const absl::Time start = absl::Now();
  CHECK(route->Stop(absl::Milliseconds(300)).code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(absl::Now() - start < absl::Seconds(5));
  route.reset();
  CHECK(rig.broker->Depth("q") == 50);
  CHECK(rig.broker->Accepted("to").empty());
  rig.broker->SetScript({});
  auto again = *rig.bus->StartRoute(config);
  CHECK(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(rig.broker->Accepted("to").size() == 50);
}

TEST_CASE("closing the bus stops its routes and loses nothing") {
  MemoryRig rig;
  RouteConfig config;
  config.from = rig.Url("from");
  config.to = rig.Url("to");
  auto sender = *rig.bus->OpenSender(config.from);
  for (const SendResult& r : sender->SendBatch(Numbered(0, 5000, 10))) {
    REQUIRE(r.ok());
  }
  auto route = *rig.bus->StartRoute(config);
  REQUIRE(Eventually([&] { return route->metrics().relayed > 0; }));
  CHECK(rig.bus->Close(kLong).ok());
  CHECK(rig.broker->Inspect("from")->depth() +
            rig.broker->Inspect("to")->depth() ==
        5000);
}

}  // namespace
}  // namespace tieline
