// How much is left in an entity, and where reading it begins: what moving a
// queue from one broker to another rests on.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Reply;
using driver::Verb;
using Op = driver::Request::Op;

bool HasProof(Rig& rig) {
  return rig.capabilities().drain_proof != DrainProof::kQuietPeriod;
}

void NeedProof(Rig& rig) {
  if (!HasProof(rig)) rig.Skip("the backend can't tell what is left");
}

int64_t Ask(Rig& rig, Op op, const QueueConfig& queue) {
  const Reply reply = rig.Await(rig.Main(), MakeRequest(op, queue));
  INFO(reply.status.ToString());
  REQUIRE(reply.status.ok());
  return reply.count;
}

// Brokers that count are asked until they agree.
void CheckUndrained(Rig& rig, const QueueConfig& queue, int64_t expected) {
  int64_t found = -1;
  rig.Until([&] {
    found = Ask(rig, Op::kUndrained, queue);
    return found == expected;
  });
  CHECK(found == expected);
}

// A day ahead.
Message Scheduled(Rig& rig) {
  Message message("later");
  message.set_deliver_at(rig.harness().clock()->Now() + absl::Hours(24));
  return message;
}

BEHAVIOUR("what is left is known, or is said to be unknown", "[drain]") {
  const Reply reply =
      rig.Await(rig.Main(), MakeRequest(Op::kUndrained, rig.NewQueue()));
  INFO(reply.status.ToString());
  if (HasProof(rig)) {
    CHECK(reply.status.ok());
    CHECK(reply.count == 0);
  } else {
    CHECK(absl::IsUnimplemented(reply.status));
  }
}

BEHAVIOUR("what is left is what was sent and not completed", "[drain]") {
  NeedProof(rig);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  CheckUndrained(rig, queue, 5);
  Receiver& rx = rig.OpenReceiver(queue);
  const std::vector<Inbound> got = rig.MustTake(rx, 5);
  // In hand is not done.
  rig.Quiet();
  CheckUndrained(rig, queue, 5);
  for (size_t i = 0; i < 3; ++i) {
    rig.MustSettle(rx, got[i].token, Verb::kComplete);
  }
  CheckUndrained(rig, queue, 2);
  for (size_t i = 3; i < 5; ++i) {
    rig.MustSettle(rx, got[i].token, Verb::kComplete);
  }
  CheckUndrained(rig, queue, 0);
}

BEHAVIOUR("what somebody else has in hand is left", "[drain]") {
  NeedProof(rig);
  const QueueConfig queue = rig.NewQueue();
  Peer& other = rig.Connect();
  rig.MustSend(rig.OpenSender(queue, &other), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue, &other);
  const Inbound held = rig.MustTake(rx, 1)[0];
  CheckUndrained(rig, queue, 1);
  rig.MustSettle(rx, held.token, Verb::kComplete);
  CheckUndrained(rig, queue, 0);
}

BEHAVIOUR("what is left in every partition counts", "[drain]") {
  NeedProof(rig);
  Shape shape;
  shape.partitions = 4;
  const QueueConfig queue = rig.NewQueue(shape);
  std::vector<Message> messages = Numbered(40);
  for (size_t i = 0; i < messages.size(); ++i) {
    messages[i].set_key("key-" + std::to_string(i));
  }
  rig.MustSend(rig.OpenSender(queue), std::move(messages));
  CheckUndrained(rig, queue, 40);
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 40);
  rx.SettleAll(Verb::kComplete);
  CheckUndrained(rig, queue, 0);
}

BEHAVIOUR("what was given back is left", "[drain]") {
  NeedProof(rig);
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kRelease);
  CheckUndrained(rig, queue, 1);
}

BEHAVIOUR("what is scheduled is not left to be drained", "[drain]") {
  NeedProof(rig);
  rig.Need(Capability::kSchedule);
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, Scheduled(rig));
  CheckUndrained(rig, queue, 0);
  rig.MustSend(tx, Message("now"));
  CheckUndrained(rig, queue, 1);
}

BEHAVIOUR("what is deferred is not left to be drained", "[drain]") {
  NeedProof(rig);
  rig.Need(Capability::kDefer);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(2));
  Receiver& rx = rig.OpenReceiver(queue);
  const std::vector<Inbound> got = rig.MustTake(rx, 2);
  rig.MustSettle(rx, got[0].token, Verb::kDefer);
  CheckUndrained(rig, queue, 1);
}

BEHAVIOUR("what is dead-lettered is not left to be drained", "[drain]") {
  NeedProof(rig);
  rig.Need(Capability::kDeadLetter);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(2));
  Receiver& rx = rig.OpenReceiver(queue);
  const std::vector<Inbound> got = rig.MustTake(rx, 2);
  rig.MustSettle(rx, got[0].token, Verb::kDeadLetter);
  CheckUndrained(rig, queue, 1);
}

BEHAVIOUR("nothing sent after the start was fixed is missed",
          "[drain][start]") {
  NeedProof(rig);
  QueueConfig queue = rig.NewQueue();
  // Where a reader has to say where to begin, this one would begin too late.
  queue.start = "latest";
  CHECK(Ask(rig, Op::kFixStart, queue) == 0);
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  CHECK(Bodies(rig.MustTake(rig.OpenReceiver(queue), 5)) ==
        std::vector<std::string>{"m0", "m1", "m2", "m3", "m4"});
}

BEHAVIOUR("fixing the start tells what is there, and skips nothing",
          "[drain][start]") {
  NeedProof(rig);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(3));
  CHECK(rig.Until([&] { return Ask(rig, Op::kFixStart, queue) == 3; }));
  CHECK(Ask(rig, Op::kFixStart, queue) == 3);
  CHECK(Bodies(rig.MustTake(rig.OpenReceiver(queue), 3)) ==
        std::vector<std::string>{"m0", "m1", "m2"});
}

BEHAVIOUR("fixing the start leaves a place that was read up to",
          "[drain][start]") {
  NeedProof(rig);
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, Numbered(3));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 3);
  rx.SettleAll(Verb::kComplete);
  CheckUndrained(rig, queue, 0);
  rig.MustSend(tx, Numbered(2, "new"));
  CHECK(rig.Until([&] { return Ask(rig, Op::kFixStart, queue) == 2; }));
  CHECK(Bodies(rig.MustTake(rx, 2)) ==
        std::vector<std::string>{"new0", "new1"});
}

}  // namespace
}  // namespace tieline::conformance
