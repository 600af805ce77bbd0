// Settling, and what comes back.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Token;
using driver::Verb;

// What is still there for another receiver, once this one is closed.
void ExpectLeft(Rig& rig, Receiver& rx, const QueueConfig& queue,
                const std::vector<std::string>& bodies) {
  rx.handle->Close();
  REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
  Receiver& next = rig.OpenReceiver(queue);
  next.Grant(100);
  REQUIRE(rig.Until([&] { return next.got.size() >= bodies.size(); }));
  rig.Quiet();
  CHECK(Bodies(next.got) == bodies);
}

BEHAVIOUR("a completed message never comes again", "[settle]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(3));
  Receiver& rx = rig.OpenReceiver(queue);
  for (const Inbound& m : rig.MustTake(rx, 3)) {
    rig.MustSettle(rx, m.token, Verb::kComplete);
  }
  ExpectLeft(rig, rx, queue, {});
}

BEHAVIOUR("what a closed receiver had not settled goes to the next",
          "[settle][redelivery]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(4));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 4);
  rig.MustSettle(rx, got[0].token, Verb::kComplete);
  rig.MustSettle(rx, got[1].token, Verb::kComplete);
  ExpectLeft(rig, rx, queue, {"m2", "m3"});
}

BEHAVIOUR("messages settle in any order", "[settle]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(10));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 10);
  // Not one by one: where a watermark is kept, the answer to a message waits
  // for the messages before it.
  for (size_t i : {7u, 0u, 9u, 3u, 1u, 2u, 8u, 6u, 5u, 4u}) {
    rx.Settle(got[i].token, Verb::kComplete);
  }
  REQUIRE(rig.Until([&] { return rx.settled.size() == 10; }));
  for (const driver::Settled& s : rx.settled) CHECK(s.status.ok());
  ExpectLeft(rig, rx, queue, {});
}

BEHAVIOUR("many settlements at once are each answered once", "[settle]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(500));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 500);
  rx.SettleAll(Verb::kComplete);
  REQUIRE(rig.Until([&] { return rx.settled.size() == 500; }));
  rig.Quiet();
  for (const driver::Settled& s : rx.settled) CHECK(s.status.ok());
  CHECK(rx.settled.size() == 500);
}

BEHAVIOUR("settling a message twice is answered aborted", "[settle][stale]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token token = rig.MustTake(rx, 1)[0].token;
  rig.MustSettle(rx, token, Verb::kComplete);
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("a token of another epoch is answered aborted", "[settle][stale]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token token = rig.MustTake(rx, 1)[0].token;
  Token stale = token;
  stale.epoch += 1;
  CHECK(rig.SettleOne(rx, stale, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
  rig.MustSettle(rx, token, Verb::kComplete);
}

BEHAVIOUR("a token that was never handed out is answered aborted",
          "[settle][stale]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  Token token = rig.MustTake(rx, 1)[0].token;
  token.id += 1000000;
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("a lane that does not exist is answered aborted", "[settle][stale]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  Token token = rig.MustTake(rx, 1)[0].token;
  token.lane = driver::Lane{77};
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("an abandoned message comes back", "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("again"));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kAbandon);
  const auto again = rig.MustTake(rx, 1);
  CHECK(again[0].message.body_view() == "again");
  rig.MustSettle(rx, again[0].token, Verb::kComplete);
}

BEHAVIOUR("an abandoned message says that it was delivered before",
          "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("again"));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto first = rig.MustTake(rx, 1);
  CHECK(!first[0].redelivered);
  CHECK(first[0].attempts == 0);
  rig.MustSettle(rx, first[0].token, Verb::kAbandon);
  CHECK(rig.MustTake(rx, 1)[0].redelivered);
}

BEHAVIOUR("abandoning counts as an attempt", "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  rig.Need(Capability::kAttemptCount);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("again"));
  Receiver& rx = rig.OpenReceiver(queue);
  for (uint32_t attempt = 0; attempt < 3; ++attempt) {
    const auto got = rig.MustTake(rx, 1);
    CHECK(got[0].attempts == attempt);
    rig.MustSettle(rx, got[0].token, Verb::kAbandon);
  }
}

BEHAVIOUR("releasing does not count as an attempt", "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  rig.Need(Capability::kAttemptCount);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("again"));
  Receiver& rx = rig.OpenReceiver(queue);
  for (int i = 0; i < 3; ++i) {
    const auto got = rig.MustTake(rx, 1);
    CHECK(got[0].attempts == 0);
    rig.MustSettle(rx, got[0].token, Verb::kRelease);
  }
}

BEHAVIOUR("a released message comes back", "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(2));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 2);
  rig.MustSettle(rx, got[0].token, Verb::kRelease);
  rig.MustSettle(rx, got[1].token, Verb::kComplete);
  CHECK(Bodies(rig.MustTake(rx, 1)) == std::vector<std::string>{"m0"});
}

BEHAVIOUR("what is released keeps its order", "[redelivery][order]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(6));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 4);
  rx.SettleAll(Verb::kRelease);
  REQUIRE(rig.Until([&] { return rx.settled.size() == 4; }));
  ExpectLeft(rig, rx, queue, {"m0", "m1", "m2", "m3", "m4", "m5"});
}

BEHAVIOUR("a token from before a redelivery is answered aborted",
          "[redelivery][stale]") {
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token first = rig.MustTake(rx, 1)[0].token;
  rig.MustSettle(rx, first, Verb::kAbandon);
  const Token second = rig.MustTake(rx, 1)[0].token;
  CHECK(!(first == second));
  CHECK(rig.SettleOne(rx, first, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
  rig.MustSettle(rx, second, Verb::kComplete);
}

BEHAVIOUR("abandoning can change properties", "[redelivery]") {
  rig.Need(Capability::kBrokerRedelivery);
  if (!rig.limits().amends_on_abandon) {
    rig.Skip("the backend does not amend what is abandoned");
  }
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Properties amend{{"tried", "once"}};
  CHECK(rig.SettleOne(rx, rig.MustTake(rx, 1)[0].token, Verb::kAbandon, &amend)
            .ok());
  const auto again = rig.MustTake(rx, 1);
  const Value* tried = again[0].message.properties().Find("tried");
  REQUIRE(tried != nullptr);
  CHECK(*tried == Value("once"));
}

BEHAVIOUR("an unsettled message does not hold up the others", "[settle]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, Numbered(3));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 3);
  rx.Settle(got[1].token, Verb::kComplete);
  rx.Settle(got[2].token, Verb::kComplete);
  if (rig.Has(Capability::kSingleSettle)) {
    REQUIRE(rig.Until([&] { return rx.settled.size() == 2; }));
  }
  rig.MustSend(tx, Numbered(3, "n"));
  CHECK(Bodies(rig.MustTake(rx, 3)) ==
        std::vector<std::string>{"n0", "n1", "n2"});
}

BEHAVIOUR("a verb that the backend can't is answered unimplemented",
          "[settle]") {
  const bool defers = rig.Has(Capability::kDefer);
  const bool buries = rig.Has(Capability::kDeadLetter);
  if (defers && buries) rig.Skip("the backend can all verbs");
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token token = rig.MustTake(rx, 1)[0].token;
  const Verb verb = defers ? Verb::kDeadLetter : Verb::kDefer;
  CHECK(rig.SettleOne(rx, token, verb).code() ==
        absl::StatusCode::kUnimplemented);
  rig.MustSettle(rx, token, Verb::kComplete);
}

}  // namespace
}  // namespace tieline::conformance
