// Receiving without the broker's help (retry in place, dead-letter by copy),
// lanes that come and go, and what a stale token is answered.
#include "tieline/receiver.h"

#include <algorithm>
#include <future>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

using driver::Fate;

ReceiverOptions Fast() {
  ReceiverOptions options;
  options.retry_min = absl::Milliseconds(1);
  options.retry_max = absl::Milliseconds(5);
  options.max_attempts = 3;
  return options;
}

std::string BodyOf(const absl::StatusOr<Delivery>& d) {
  return d.ok() ? std::string(d->message().body_view()) : d.status().ToString();
}

TEST_CASE("in place: an abandoned message comes again before its key's next") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  for (const char* body : {"1", "2", "3"}) {
    rig.broker->Put("q", Message(body).set_key("k"));
  }
  auto first = receiver->Receive(kLong);
  REQUIRE(BodyOf(first) == "1");
  CHECK(first->Abandon().ok());
  auto again = receiver->Receive(kLong);
  REQUIRE(BodyOf(again) == "1");
  CHECK(again->attempts() == 1);
  CHECK(again->redelivered());
  CHECK(again->Complete().ok());
  for (const char* body : {"2", "3"}) {
    auto next = receiver->Receive(kLong);
    REQUIRE(BodyOf(next) == body);
    CHECK(next->Complete().ok());
  }
  CHECK(receiver->Flush(kLong).ok());
  CHECK(rig.broker->Depth("q") == 0);
}

TEST_CASE("in place: past its attempts a message is copied, then completed") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  rig.broker->Put("q", Message("bad").set_key("k").set_id("id-1"));
  rig.broker->Put("q", Message("good").set_key("k"));
  for (int i = 0; i < 3; ++i) {
    auto d = receiver->Receive(kLong);
    REQUIRE(BodyOf(d) == "bad");
    CHECK(d->attempts() == static_cast<uint32_t>(i));
    CHECK(d->Abandon().ok());
  }
  auto next = receiver->Receive(kLong);
  REQUIRE(BodyOf(next) == "good");
  CHECK(next->Complete().ok());
  REQUIRE(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  const std::vector<Message> dead = rig.broker->Accepted("q.dead-letter");
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].id() == "id-1");
  CHECK(dead[0].properties().Find("dead-letter-reason") != nullptr);
}

TEST_CASE("a copy that the dead-letter entity refuses leaves the message") {
  ScriptedRig rig;
  std::atomic<int> refusals{2};
  rig.broker->SetScript([&](const Message&) -> std::optional<driver::Outcome> {
    if (refusals > 0) {
      --refusals;
      return Fated(Fate::kRejected, absl::InvalidArgumentError("no"));
    }
    return Fated(Fate::kAccepted);
  });
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  rig.broker->Put("q", Message("bad"));
  for (int i = 0; i < 3; ++i) {
    auto d = receiver->Receive(kLong);
    REQUIRE(BodyOf(d) == "bad");
    CHECK(rig.broker->Depth("q") == 1);
    CHECK(d->DeadLetter("why", "because").ok());
  }
  REQUIRE(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  CHECK(rig.broker->Accepted("q.dead-letter").size() == 1);
}

TEST_CASE("dead-lettering while the bus closes does not crash") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  rig.broker->Put("q", Message("x"));
  auto d = receiver->Receive(kLong);
  REQUIRE(d.ok());
  CHECK(rig.bus->Close(kLong).ok());
  CHECK(d->DeadLetter("late").code() == absl::StatusCode::kAborted);
}

TEST_CASE("a token of a lost connection is stale; the message comes again") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  rig.broker->Put("q", Message("x"));
  auto d = receiver->Receive(kLong);
  REQUIRE(d.ok());
  rig.broker->DropConnections();
  auto again = receiver->Receive(kLong);
  REQUIRE(BodyOf(again) == "x");
  CHECK(d->Complete().code() == absl::StatusCode::kAborted);
  CHECK(again->CompleteConfirmed(kLong).ok());
  CHECK(rig.broker->Depth("q") == 0);
}

TEST_CASE("a lane that closes: what is in hand can be settled first") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  for (int i = 0; i < 3; ++i) {
    rig.broker->Put("q", Message(std::to_string(i)).set_key("k"));
  }
  auto held = receiver->Receive(kLong);
  REQUIRE(BodyOf(held) == "0");
  rig.broker->CloseLane(kLong);
  // Buffered ones are given up, the one in hand keeps the lane.
  REQUIRE(Eventually(
      [&] { return rig.bus->metrics().receivers.at(0).unsettled == 1; }));
  CHECK(receiver->Receive(absl::Milliseconds(50)).status().code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(rig.broker->lanes_dropped() == 0);
  CHECK(held->Complete().ok());
  REQUIRE(Eventually([&] { return rig.broker->lanes_dropped() == 1; }));
  rig.broker->OpenLane();
  for (const char* body : {"1", "2"}) {
    auto d = receiver->Receive(kLong);
    REQUIRE(BodyOf(d) == body);
    CHECK(d->Complete().ok());
  }
}

TEST_CASE("a lane is dropped at its limit, and late settling is stale") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  auto receiver = *rig.bus->OpenReceiver("q", Fast());
  rig.broker->Put("q", Message("x"));
  auto held = receiver->Receive(kLong);
  REQUIRE(held.ok());
  rig.broker->CloseLane(absl::Milliseconds(20));
  REQUIRE(Eventually([&] { return rig.broker->lanes_dropped() == 1; }));
  CHECK(held->Complete().code() == absl::StatusCode::kAborted);
  CHECK(rig.broker->Depth("q") == 1);
}

TEST_CASE("a key that waited for its retry is free after its lane went") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  ReceiverOptions options;
  options.retry_min = absl::Seconds(5);
  auto receiver = *rig.bus->OpenReceiver("q", options);
  rig.broker->Put("q", Message("1").set_key("k"));
  rig.broker->Put("q", Message("2").set_key("k"));
  auto first = receiver->Receive(kLong);
  REQUIRE(BodyOf(first) == "1");
  CHECK(first->Abandon().ok());
  rig.broker->CloseLane(kLong);
  REQUIRE(Eventually([&] { return rig.broker->lanes_dropped() == 1; }));
  rig.broker->OpenLane();
  for (const char* body : {"1", "2"}) {
    auto d = receiver->Receive(absl::Seconds(2));
    REQUIRE(BodyOf(d) == body);
    CHECK(d->Complete().ok());
  }
}

TEST_CASE("credit in bytes comes back when lanes are taken away") {
  ScriptedRig rig;
  rig.broker->announce_lanes = true;
  ReceiverOptions options;
  options.credit_bytes = 1000;
  auto receiver = *rig.bus->OpenReceiver("q", options);
  for (int i = 0; i < 8; ++i) {
    rig.broker->Put("q", Message(std::string(300, 'x')));
  }
  for (int round = 1; round <= 5; ++round) {
    auto d = receiver->Receive(kLong);
    INFO("round " << round);
    REQUIRE(d.ok());
    rig.broker->CloseLane(absl::Milliseconds(1));
    REQUIRE(Eventually([&] {
      return rig.broker->lanes_dropped() == static_cast<uint64_t>(round);
    }));
    rig.broker->OpenLane();
  }
  for (int i = 0; i < 8; ++i) {
    auto d = receiver->Receive(kLong);
    REQUIRE(d.ok());
    CHECK(d->Complete().ok());
  }
  CHECK(receiver->Flush(kLong).ok());
  CHECK(rig.broker->Depth("q") == 0);
}

TEST_CASE("credit in bytes holds back what is too much, for ever") {
  ScriptedRig rig;
  ReceiverOptions options;
  options.credit_bytes = 1000;
  auto receiver = *rig.bus->OpenReceiver("plain", options);
  for (int i = 0; i < 2000; ++i) {
    rig.broker->Put("plain", Message(std::string(100, 'x')));
  }
  // After much was received, no more than before is let in unsettled.
  for (int i = 0; i < 1900; ++i) {
    auto d = receiver->Receive(kLong);
    REQUIRE(d.ok());
    REQUIRE(d->Complete().ok());
  }
  std::vector<Delivery> held;
  while (held.size() < 50) {
    auto d = receiver->Receive(absl::Milliseconds(100));
    if (!d.ok()) break;
    held.push_back(*std::move(d));
  }
  CHECK(held.size() >= 7);
  CHECK(held.size() <= 11);
}

// How many settled messages the driver was not told of, once its runner has
// been round.
size_t LeftAfterRound(absl::Duration rests) {
  BusOptions options;
  options.host_runs = true;
  ScriptedRig rig(std::move(options));
  rig.broker->rests = rests;
  constexpr size_t kCount = 100;
  for (size_t i = 0; i < kCount; ++i) rig.broker->Put("plain", Message("x"));
  auto receiver = *rig.bus->OpenReceiver("plain");
  std::vector<Delivery> held;
  for (int round = 0; held.size() < kCount; ++round) {
    REQUIRE(round < 1000);
    rig.bus->RunOnce();
    auto batch = receiver->ReceiveBatch(kCount, absl::ZeroDuration());
    if (!batch.ok()) continue;
    std::move(batch->begin(), batch->end(), std::back_inserter(held));
  }
  // What it still has to do is done: only the settlements are new.
  for (int round = 0; round < 20; ++round) rig.bus->RunOnce();
  CHECK(receiver->CompleteAll(std::move(held)).ok());
  rig.bus->RunOnce();
  return rig.broker->Depth("plain");
}

TEST_CASE("a driver that rests is told of settlements when it ends its rest") {
  CHECK(LeftAfterRound(absl::ZeroDuration()) == 0);
  CHECK(LeftAfterRound(absl::Hours(1)) == 100);
}

TEST_CASE("a receiver that lacks what it needs receives nothing") {
  ScriptedRig rig;
  rig.broker->Put("q", Message("x"));
  ReceiverOptions options;
  options.needs = {Capability::kDefer};
  auto receiver = *rig.bus->OpenReceiver("q", options);
  CHECK(receiver->WaitOpen(kLong).code() == absl::StatusCode::kUnimplemented);
  CHECK(receiver->Receive(absl::Milliseconds(50)).status().code() ==
        absl::StatusCode::kUnimplemented);
}

TEST_CASE("a closed receiver says so at once") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q");
  auto waiting = std::async(std::launch::async,
                            [&] { return receiver->Receive(kLong).status(); });
  CHECK(receiver->Close(kLong).ok());
  CHECK(waiting.get().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(receiver->WaitOpen(kLong).code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a stop token ends a wait") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q");
  std::stop_source source;
  auto waiting = std::async(std::launch::async, [&] {
    return receiver->Receive(kLong, source.get_token()).status();
  });
  source.request_stop();
  CHECK(waiting.get().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("receiving deferred ones across a lost connection does not crash") {
  MemoryRig rig;
  auto sender = *rig.bus->OpenSender(rig.Url("q"));
  auto receiver = *rig.bus->OpenReceiver(rig.Url("q"));
  std::vector<int64_t> positions;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(sender->Send(Message("x")).ok());
    auto d = receiver->Receive(kLong);
    REQUIRE(d.ok());
    positions.push_back(d->position());
    REQUIRE(d->Defer().ok());
  }
  REQUIRE(receiver->Flush(kLong).ok());
  std::atomic<bool> stop{false};
  std::thread breaker([&] {
    while (!stop) {
      rig.broker->DropConnections();
      for (int i = 0; i < 500; ++i) std::this_thread::yield();
    }
  });
  int asked = 0;
  for (const int64_t position : positions) {
    auto got = receiver->ReceiveDeferred({position}, absl::Milliseconds(200));
    ++asked;
    if (got.ok()) CHECK(got->size() == 1);
  }
  stop = true;
  breaker.join();
  CHECK(asked == 20);
}

}  // namespace
}  // namespace tieline
