// Dead-lettering, deferring.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Request;
using driver::Verb;

BEHAVIOUR("a dead-lettered message is found at the dead-letter place",
          "[dead-letter]") {
  rig.Need(Capability::kDeadLetter);
  const QueueConfig queue = rig.NewQueue();
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  rig.MustSend(rig.OpenSender(queue), Message("poison"));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kDeadLetter);
  const auto got = rig.MustTake(rig.OpenReceiver(dead), 1);
  CHECK(got[0].message.body_view() == "poison");
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.size() == 1);
}

BEHAVIOUR("a dead-lettered message carries its reason", "[dead-letter]") {
  rig.Need(Capability::kDeadLetter);
  if (rig.limits().reason_property.empty()) {
    rig.Skip("the broker does not keep the reason");
  }
  const QueueConfig queue = rig.NewQueue();
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  rig.MustSend(rig.OpenSender(queue), Message("poison"));
  Receiver& rx = rig.OpenReceiver(queue);
  CHECK(rig.SettleOne(rx, rig.MustTake(rx, 1)[0].token, Verb::kDeadLetter,
                      nullptr, "BadCharge", "meter ran backwards")
            .ok());
  const Message m = rig.MustTake(rig.OpenReceiver(dead), 1)[0].message;
  const Value* reason = m.properties().Find(rig.limits().reason_property);
  const Value* detail = m.properties().Find(rig.limits().detail_property);
  REQUIRE(reason != nullptr);
  CHECK(*reason == Value("BadCharge"));
  REQUIRE(detail != nullptr);
  CHECK(*detail == Value("meter ran backwards"));
}

BEHAVIOUR("a dead-lettered message keeps its fields and properties",
          "[dead-letter]") {
  rig.Need(Capability::kDeadLetter);
  const QueueConfig queue = rig.NewQueue();
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  Message message("poison");
  message.set_id("id-1").set_key("key-1").set_property("n", int64_t{42});
  rig.MustSend(rig.OpenSender(queue), std::move(message));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kDeadLetter);
  const Message m = rig.MustTake(rig.OpenReceiver(dead), 1)[0].message;
  CHECK(m.id() == "id-1");
  CHECK(m.key() == "key-1");
  REQUIRE(m.properties().Find("n") != nullptr);
  CHECK(*m.properties().Find("n") == Value(int64_t{42}));
}

BEHAVIOUR("dead-lettering can add properties", "[dead-letter]") {
  rig.Need(Capability::kDeadLetter);
  if (!rig.limits().amends_on_dead_letter) {
    rig.Skip("the backend does not amend what is dead-lettered");
  }
  const QueueConfig queue = rig.NewQueue();
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  rig.MustSend(rig.OpenSender(queue), Message("poison"));
  Receiver& rx = rig.OpenReceiver(queue);
  const Properties amend{{"seen-by", "bridge"}};
  CHECK(rig.SettleOne(rx, rig.MustTake(rx, 1)[0].token, Verb::kDeadLetter,
                      &amend, "Bad")
            .ok());
  const Message m = rig.MustTake(rig.OpenReceiver(dead), 1)[0].message;
  REQUIRE(m.properties().Find("seen-by") != nullptr);
  CHECK(*m.properties().Find("seen-by") == Value("bridge"));
}

BEHAVIOUR("a message abandoned too often is dead-lettered by the broker",
          "[dead-letter][redelivery]") {
  rig.Need(Capability::kDeadLetter);
  rig.Need(Capability::kBrokerRedelivery);
  Shape shape;
  shape.max_deliveries = 3;
  const QueueConfig queue = rig.NewQueue(shape);
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  rig.MustSend(rig.OpenSender(queue), Message("poison"));
  Receiver& rx = rig.OpenReceiver(queue);
  for (int i = 0; i < 3; ++i) {
    rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kAbandon);
  }
  const auto got = rig.MustTake(rig.OpenReceiver(dead), 1);
  CHECK(got[0].message.body_view() == "poison");
  CHECK(rx.got.size() == 3);
}

BEHAVIOUR("a dead-lettered message can be received and completed",
          "[dead-letter]") {
  rig.Need(Capability::kDeadLetter);
  const QueueConfig queue = rig.NewQueue();
  const QueueConfig dead = rig.Get(rig.harness().DeadLetters(queue));
  rig.MustSend(rig.OpenSender(queue), Message("poison"));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kDeadLetter);
  Receiver& first = rig.OpenReceiver(dead);
  rig.MustSettle(first, rig.MustTake(first, 1)[0].token, Verb::kComplete);
  first.handle->Close();
  REQUIRE(rig.Until([&] { return first.closed.has_value(); }));
  Receiver& second = rig.OpenReceiver(dead);
  second.Grant(10);
  rig.Quiet();
  CHECK(second.got.empty());
}

// Receives one and defers it; its number.
int64_t Defer(Rig& rig, Receiver& rx) {
  const Inbound m = rig.MustTake(rx, 1)[0];
  rig.MustSettle(rx, m.token, Verb::kDefer);
  REQUIRE(m.position >= 0);
  return m.position;
}

driver::Reply ReceiveDeferred(Rig& rig, Receiver& rx, const QueueConfig& queue,
                              int64_t number) {
  Request request = MakeRequest(Request::Op::kReceiveDeferred, queue);
  request.numbers = {number};
  request.receiver = rx.handle.get();
  return rig.Await(*rx.peer, std::move(request));
}

BEHAVIOUR("a deferred message is not delivered", "[defer]") {
  rig.Need(Capability::kDefer);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(2));
  Receiver& rx = rig.OpenReceiver(queue);
  Defer(rig, rx);
  CHECK(Bodies(rig.MustTake(rx, 1)) == std::vector<std::string>{"m1"});
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.size() == 2);
}

BEHAVIOUR("a deferred message is received by its number and completed",
          "[defer]") {
  rig.Need(Capability::kDefer);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("later"));
  Receiver& rx = rig.OpenReceiver(queue);
  const int64_t number = Defer(rig, rx);
  driver::Reply reply = ReceiveDeferred(rig, rx, queue, number);
  INFO(reply.status.ToString());
  REQUIRE(reply.inbound.size() == 1);
  CHECK(reply.inbound[0].message.body_view() == "later");
  rig.MustSettle(rx, reply.inbound[0].token, Verb::kComplete);
  CHECK(ReceiveDeferred(rig, rx, queue, number).status.code() ==
        absl::StatusCode::kNotFound);
}

BEHAVIOUR("receiving a deferred number that is not there is not found",
          "[defer]") {
  rig.Need(Capability::kDefer);
  const QueueConfig queue = rig.NewQueue();
  Receiver& rx = rig.OpenReceiver(queue);
  CHECK(ReceiveDeferred(rig, rx, queue, 4711).status.code() ==
        absl::StatusCode::kNotFound);
}

BEHAVIOUR("a deferred message stays when its receiver goes", "[defer]") {
  rig.Need(Capability::kDefer);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("later"));
  Receiver& rx = rig.OpenReceiver(queue);
  const int64_t number = Defer(rig, rx);
  rx.handle->Close();
  REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
  Receiver& next = rig.OpenReceiver(queue);
  next.Grant(10);
  rig.Quiet();
  CHECK(next.got.empty());
  CHECK(ReceiveDeferred(rig, next, queue, number).inbound.size() == 1);
}

}  // namespace
}  // namespace tieline::conformance
