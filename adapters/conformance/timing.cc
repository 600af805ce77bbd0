// What time does to messages: locks, schedules, time to live, duplicates.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Request;
using driver::Token;
using driver::Verb;

constexpr absl::Duration kShort = absl::Seconds(2);

Message At(Rig& rig, absl::Duration ahead, std::string_view body) {
  Message message(body);
  message.set_deliver_at(rig.harness().clock()->Now() + ahead);
  return message;
}

// An entity whose deliveries are locked for a while.
QueueConfig Locked(Rig& rig, absl::Duration lock) {
  Shape shape;
  shape.lock = lock;
  return rig.NewQueue(shape);
}

BEHAVIOUR("a message whose lock runs out comes back", "[locks]") {
  const QueueConfig queue = Locked(rig, kShort);
  rig.MustSend(rig.OpenSender(queue), Message("slow"));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto first = rig.MustTake(rx, 1);
  CHECK(first[0].locked_until < absl::InfiniteFuture());
  rx.Grant(1);
  rig.Pass(kShort + absl::Seconds(1));
  REQUIRE(rig.Until([&] { return rx.got.size() == 2; }));
  CHECK(rx.got[1].message.body_view() == "slow");
  CHECK(rx.got[1].attempts == 1);
}

BEHAVIOUR("settling after the lock ran out is answered aborted",
          "[locks][stale]") {
  const QueueConfig queue = Locked(rig, kShort);
  rig.MustSend(rig.OpenSender(queue), Message("slow"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token token = rig.MustTake(rx, 1)[0].token;
  rig.Pass(kShort + absl::Seconds(1));
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("renewing a lock keeps the message", "[locks]") {
  rig.Need(Capability::kLockRenewal);
  const QueueConfig queue = Locked(rig, kShort);
  rig.MustSend(rig.OpenSender(queue), Message("slow"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Inbound first = rig.MustTake(rx, 1)[0];
  rig.Pass(kShort / 2);
  rig.MustSettle(rx, first.token, Verb::kRenew);
  CHECK(rx.settled.back().locked_until > first.locked_until);
  rig.Pass(kShort * 3 / 4);
  rig.MustSettle(rx, first.token, Verb::kComplete);
}

BEHAVIOUR("renewing after the lock ran out is answered aborted",
          "[locks][stale]") {
  rig.Need(Capability::kLockRenewal);
  const QueueConfig queue = Locked(rig, kShort);
  rig.MustSend(rig.OpenSender(queue), Message("slow"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Token token = rig.MustTake(rx, 1)[0].token;
  rig.Pass(kShort + absl::Seconds(1));
  CHECK(rig.SettleOne(rx, token, Verb::kRenew).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("a lock that runs out wakes another receiver", "[locks]") {
  const QueueConfig queue = Locked(rig, kShort);
  Receiver& slow = rig.OpenReceiver(queue);
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  rig.MustTake(slow, 1);
  Receiver& other = rig.OpenReceiver(queue, &rig.Connect());
  other.Grant(1);
  rig.Quiet();
  CHECK(other.got.empty());
  rig.Pass(kShort + absl::Seconds(1));
  REQUIRE(rig.Until([&] { return other.got.size() == 1; }));
}

BEHAVIOUR("a scheduled message comes when its time has come, not before",
          "[schedule]") {
  rig.Need(Capability::kSchedule);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), At(rig, kShort, "later"));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.empty());
  rig.Pass(kShort + absl::Milliseconds(100));
  REQUIRE(rig.Until([&] { return rx.got.size() == 1; }));
  CHECK(rx.got[0].message.body_view() == "later");
}

BEHAVIOUR("a message scheduled for the past comes at once", "[schedule]") {
  rig.Need(Capability::kSchedule);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), At(rig, -absl::Seconds(5), "due"));
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 1)[0].message.body_view() ==
        "due");
}

BEHAVIOUR("scheduled messages come in the order of their times", "[schedule]") {
  rig.Need(Capability::kSchedule);
  if (!rig.limits().orders_scheduled) {
    rig.Skip("the broker puts each due message before those that wait");
  }
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, At(rig, kShort, "second"));
  rig.MustSend(tx, At(rig, kShort / 2, "first"));
  rig.Pass(kShort + absl::Milliseconds(100));
  CHECK(Bodies(rig.MustTake(rig.OpenReceiver(queue), 2)) ==
        std::vector<std::string>{"first", "second"});
}

BEHAVIOUR("a scheduled message that is cancelled never comes", "[schedule]") {
  rig.Need(Capability::kSchedule);
  rig.Need(Capability::kCancelScheduled);
  const QueueConfig queue = rig.NewQueue();
  Request schedule = MakeRequest(Request::Op::kSchedule, queue);
  schedule.messages = {At(rig, kShort, "one"), At(rig, kShort, "two")};
  const driver::Reply reply = rig.Await(rig.Main(), std::move(schedule));
  INFO(reply.status.ToString());
  REQUIRE(reply.numbers.size() == 2);
  Request cancel = MakeRequest(Request::Op::kCancelScheduled, queue);
  cancel.numbers = {reply.numbers[0]};
  CHECK(rig.Await(rig.Main(), cancel).status.ok());
  rig.Pass(kShort + absl::Milliseconds(100));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  REQUIRE(rig.Until([&] { return rx.got.size() == 1; }));
  rig.Quiet();
  CHECK(Bodies(rx.got) == std::vector<std::string>{"two"});
}

BEHAVIOUR("cancelling what is not scheduled is not found", "[schedule]") {
  rig.Need(Capability::kCancelScheduled);
  Request cancel = MakeRequest(Request::Op::kCancelScheduled, rig.NewQueue());
  cancel.numbers = {4711};
  CHECK(rig.Await(rig.Main(), cancel).status.code() ==
        absl::StatusCode::kNotFound);
}

BEHAVIOUR("a message whose time to live is over does not come", "[ttl]") {
  rig.Need(Capability::kTtl);
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  Message brief("brief");
  brief.set_ttl(absl::Milliseconds(500));
  rig.MustSend(tx, std::move(brief));
  rig.MustSend(tx, Message("lasting"));
  rig.Pass(kShort);
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  REQUIRE(rig.Until([&] { return !rx.got.empty(); }));
  rig.Quiet();
  CHECK(Bodies(rx.got) == std::vector<std::string>{"lasting"});
}

BEHAVIOUR("a message comes while its time to live lasts", "[ttl]") {
  const QueueConfig queue = rig.NewQueue();
  Message message("in time");
  message.set_ttl(absl::Minutes(5));
  rig.MustSend(rig.OpenSender(queue), std::move(message));
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 1)[0].message.body_view() ==
        "in time");
}

BEHAVIOUR("an expired message is dead-lettered where the entity says so",
          "[ttl][dead-letter]") {
  rig.Need(Capability::kTtl);
  rig.Need(Capability::kDeadLetter);
  Shape shape;
  shape.dead_letter_expired = true;
  const QueueConfig queue = rig.NewQueue(shape);
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  Receiver& rx = rig.OpenReceiver(dead);
  rx.Grant(1);
  Message brief("brief");
  brief.set_ttl(absl::Milliseconds(500));
  rig.MustSend(rig.OpenSender(queue), std::move(brief));
  rig.Pass(kShort);
  REQUIRE(rig.Until([&] { return rx.got.size() == 1; }));
  CHECK(rx.got[0].message.body_view() == "brief");
}

BEHAVIOUR("the entity's time to live bounds the message's", "[ttl]") {
  rig.Need(Capability::kTtl);
  Shape shape;
  shape.ttl = absl::Milliseconds(500);
  const QueueConfig queue = rig.NewQueue(shape);
  Message message("m");
  message.set_ttl(absl::Hours(1));
  rig.MustSend(rig.OpenSender(queue), std::move(message));
  rig.Pass(kShort);
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.empty());
}

QueueConfig Deduplicating(Rig& rig) {
  Shape shape;
  shape.duplicate_window = absl::Minutes(10);
  QueueConfig queue = rig.NewQueue(shape);
  if (!rig.OpenSender(queue).capabilities.has(
          Capability::kDuplicateDetection)) {
    rig.Skip("the backend has no duplicate-detection");
  }
  return queue;
}

Message WithId(std::string_view id, std::string_view body) {
  Message message(body);
  message.set_id(id);
  return message;
}

BEHAVIOUR("a second send of one id is accepted and not delivered",
          "[duplicates]") {
  const QueueConfig queue = Deduplicating(rig);
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, WithId("a", "first"));
  rig.MustSend(tx, WithId("a", "second"));
  rig.MustSend(tx, WithId("b", "third"));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  REQUIRE(rig.Until([&] { return rx.got.size() >= 2; }));
  rig.Quiet();
  CHECK(Bodies(rx.got) == std::vector<std::string>{"first", "third"});
}

BEHAVIOUR("messages without an id are never duplicates", "[duplicates]") {
  const QueueConfig queue = Deduplicating(rig);
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 5).size() == 5);
}

BEHAVIOUR("an id may come again after the window", "[duplicates]") {
  const QueueConfig queue = Deduplicating(rig);
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, WithId("a", "first"));
  rig.Pass(absl::Minutes(11));
  rig.MustSend(tx, WithId("a", "second"));
  CHECK(Bodies(rig.MustTake(rig.OpenReceiver(queue), 2)) ==
        std::vector<std::string>{"first", "second"});
}

}  // namespace
}  // namespace tieline::conformance
