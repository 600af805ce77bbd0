// The rare operations: asked once, answered once.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Reply;
using driver::Request;
using driver::Verb;
using Op = driver::Request::Op;

BEHAVIOUR("a ping is answered", "[requests]") {
  const Reply reply = rig.Await(rig.Main(), MakeRequest(Op::kPing, {}));
  INFO(reply.status.ToString());
  CHECK(reply.status.ok());
}

BEHAVIOUR("every kind of request is answered, if only as unimplemented",
          "[requests]") {
  const QueueConfig queue = rig.NewQueue();
  for (Op op : {Op::kPeek, Op::kDepth, Op::kDrainMark, Op::kListEntities,
                Op::kReceiveDeferred, Op::kSchedule, Op::kCancelScheduled,
                Op::kGetSessionState, Op::kSetSessionState, Op::kPing,
                Op::kUndrained, Op::kFixStart}) {
    INFO("request " << static_cast<int>(op));
    rig.Await(rig.Main(), MakeRequest(op, queue));
  }
  CHECK(rig.Main().replies.size() == 12);
}

BEHAVIOUR("what the backend can't is answered unimplemented", "[requests]") {
  const QueueConfig queue = rig.NewQueue();
  const std::pair<Capability, Op> pairs[] = {
      {Capability::kPeek, Op::kPeek},
      {Capability::kDepth, Op::kDepth},
      {Capability::kListEntities, Op::kListEntities},
      {Capability::kCreateEntity, Op::kCreateEntity},
      {Capability::kCancelScheduled, Op::kCancelScheduled},
  };
  int lacking = 0;
  for (const auto& [capability, op] : pairs) {
    if (rig.Has(capability)) continue;
    ++lacking;
    INFO(CapabilityName(capability));
    CHECK(rig.Await(rig.Main(), MakeRequest(op, queue)).status.code() ==
          absl::StatusCode::kUnimplemented);
  }
  if (lacking == 0) rig.Skip("the backend can all of them");
}

BEHAVIOUR("many requests at once are each answered once", "[requests]") {
  Peer& peer = rig.Main();
  for (int i = 0; i < 50; ++i) peer.Ask(MakeRequest(Op::kPing, {}));
  REQUIRE(rig.Until([&] {
    for (const auto& [cookie, replies] : peer.replies) {
      if (replies.empty()) return false;
    }
    return true;
  }));
  CHECK(peer.replies.size() == 50);
}

BEHAVIOUR("the depth is what was sent and not completed", "[requests]") {
  rig.Need(Capability::kDepth);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(10));
  const auto depth = [&] {
    return rig.Await(rig.Main(), MakeRequest(Op::kDepth, queue)).count;
  };
  CHECK(rig.Until([&] { return depth() == 10; }));
  Receiver& rx = rig.OpenReceiver(queue);
  for (const driver::Inbound& m : rig.MustTake(rx, 4)) {
    rig.MustSettle(rx, m.token, Verb::kComplete);
  }
  CHECK(rig.Until([&] { return depth() == 6; }));
}

BEHAVIOUR("the depth of an empty entity is zero", "[requests]") {
  rig.Need(Capability::kDepth);
  const QueueConfig queue = rig.NewQueue();
  const Reply reply = rig.Await(rig.Main(), MakeRequest(Op::kDepth, queue));
  INFO(reply.status.ToString());
  CHECK(reply.count == 0);
}

BEHAVIOUR("peeking shows messages and leaves them", "[requests][peek]") {
  rig.Need(Capability::kPeek);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Request peek = MakeRequest(Op::kPeek, queue);
  peek.max = 3;
  const Reply reply = rig.Await(rig.Main(), peek);
  INFO(reply.status.ToString());
  CHECK(Bodies(reply.inbound) == std::vector<std::string>{"m0", "m1", "m2"});
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 5).size() == 5);
}

BEHAVIOUR("peeking goes on from a number", "[requests][peek]") {
  rig.Need(Capability::kPeek);
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Request peek = MakeRequest(Op::kPeek, queue);
  peek.max = 2;
  const Reply first = rig.Await(rig.Main(), peek);
  REQUIRE(first.inbound.size() == 2);
  peek.from = first.inbound[1].position + 1;
  peek.max = 10;
  CHECK(Bodies(rig.Await(rig.Main(), peek).inbound) ==
        std::vector<std::string>{"m2", "m3", "m4"});
}

BEHAVIOUR("peeking an empty entity shows nothing", "[requests][peek]") {
  rig.Need(Capability::kPeek);
  const Reply reply =
      rig.Await(rig.Main(), MakeRequest(Op::kPeek, rig.NewQueue()));
  CHECK(reply.status.ok());
  CHECK(reply.inbound.empty());
}

BEHAVIOUR("a drain mark grows with what is sent", "[requests]") {
  const QueueConfig queue = rig.NewQueue();
  const auto mark = [&] {
    Reply reply = rig.Await(rig.Main(), MakeRequest(Op::kDrainMark, queue));
    rig.Demand(reply.status);
    int64_t sum = 0;
    for (int64_t n : reply.numbers) sum += n;
    return sum;
  };
  const int64_t before = mark();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  CHECK(mark() >= before + 5);
}

BEHAVIOUR("an entity that was created is listed and can be used",
          "[requests][entities]") {
  rig.Need(Capability::kCreateEntity);
  QueueConfig queue = rig.NewQueue();
  queue.name = queue.entity += "-made";
  const Reply made =
      rig.Await(rig.Main(), MakeRequest(Op::kCreateEntity, queue));
  INFO(made.status.ToString());
  REQUIRE(made.status.ok());
  rig.MustSend(rig.OpenSender(queue), Message("m"));
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 1).size() == 1);
  rig.Need(Capability::kListEntities);
  const auto listed = [&] {
    const Reply list =
        rig.Await(rig.Main(), MakeRequest(Op::kListEntities, {}));
    for (const driver::EntityInfo& e : list.entities) {
      if (e.name == queue.entity) return true;
    }
    return false;
  };
  CHECK(rig.Until(listed));
}

BEHAVIOUR("an entity that was deleted is not listed any more",
          "[requests][entities]") {
  rig.Need(Capability::kCreateEntity);
  rig.Need(Capability::kListEntities);
  QueueConfig queue = rig.NewQueue();
  queue.name = queue.entity += "-gone";
  REQUIRE(
      rig.Await(rig.Main(), MakeRequest(Op::kCreateEntity, queue)).status.ok());
  rig.Demand(
      rig.Await(rig.Main(), MakeRequest(Op::kDeleteEntity, queue)).status);
  const auto listed = [&] {
    const Reply list =
        rig.Await(rig.Main(), MakeRequest(Op::kListEntities, {}));
    for (const driver::EntityInfo& e : list.entities) {
      if (e.name == queue.entity) return true;
    }
    return false;
  };
  CHECK(rig.Until([&] { return !listed(); }));
}

}  // namespace
}  // namespace tieline::conformance
