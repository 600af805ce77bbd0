// Sessions: lanes that are accepted by name, and given back.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::LaneEvent;
using driver::LaneState;
using driver::Request;
using driver::Token;
using driver::Verb;

Message Of(std::string_view session, std::string_view body) {
  Message message(body);
  message.set_key(session);
  return message;
}

QueueConfig SessionQueue(Rig& rig, absl::Duration lock = absl::ZeroDuration()) {
  rig.Need(Capability::kSessions);
  Shape shape;
  shape.sessions = true;
  shape.lock = lock;
  return rig.NewQueue(shape);
}

// Accepts a session; its lane event.
LaneEvent Accept(Rig& rig, Receiver& rx, std::string_view name) {
  const size_t before = rx.lanes.size();
  REQUIRE(rx.handle->AcceptLane(name).ok());
  REQUIRE(rig.Until([&] { return rx.lanes.size() > before; }));
  return rx.lanes[before];
}

BEHAVIOUR("a session is accepted by name", "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  Sender& tx = rig.OpenSender(queue);
  rig.MustSend(tx, Of("a", "a0"));
  rig.MustSend(tx, Of("b", "b0"));
  rig.MustSend(tx, Of("a", "a1"));
  Receiver& rx = rig.OpenReceiver(queue);
  const LaneEvent lane = Accept(rig, rx, "a");
  CHECK(lane.state == LaneState::kOpened);
  CHECK(lane.name == "a");
  rx.Grant(10);
  REQUIRE(rig.Until([&] { return rx.got.size() == 2; }));
  rig.Quiet();
  CHECK(Bodies(rx.got) == std::vector<std::string>{"a0", "a1"});
  CHECK(rx.got[0].token.lane == lane.lane);
  CHECK(rx.got[0].token.epoch == lane.epoch);
}

BEHAVIOUR("nothing comes from a session that was not accepted", "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  rig.MustSend(rig.OpenSender(queue), Of("a", "a0"));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.empty());
}

BEHAVIOUR("the next free session is one with messages", "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  rig.MustSend(rig.OpenSender(queue), Of("only", "m"));
  Receiver& rx = rig.OpenReceiver(queue);
  CHECK(Accept(rig, rx, "").name == "only");
  CHECK(Bodies(rig.MustTake(rx, 1)) == std::vector<std::string>{"m"});
}

BEHAVIOUR("asking for the next free session waits until there is one",
          "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  Receiver& rx = rig.OpenReceiver(queue);
  REQUIRE(rx.handle->AcceptLane("").ok());
  rig.Quiet();
  CHECK(rx.lanes.empty());
  rig.MustSend(rig.OpenSender(queue), Of("late", "m"));
  REQUIRE(rig.Until([&] { return rx.lanes.size() == 1; }));
  CHECK(rx.lanes[0].name == "late");
}

BEHAVIOUR("a session that another receiver holds is refused", "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  rig.MustSend(rig.OpenSender(queue), Of("a", "m"));
  Receiver& first = rig.OpenReceiver(queue);
  CHECK(Accept(rig, first, "a").state == LaneState::kOpened);
  Receiver& second = rig.OpenReceiver(queue, &rig.Connect());
  const LaneEvent refused = Accept(rig, second, "a");
  CHECK(refused.state == LaneState::kClosed);
  CHECK(!refused.why.ok());
}

BEHAVIOUR("a message without a key is rejected where sessions are needed",
          "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  Sender& tx = rig.OpenSender(queue);
  tx.Send(Message("no key"));
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }));
  CHECK(tx.outcomes.at(1).fate == driver::Fate::kRejected);
}

BEHAVIOUR("a dropped session gives its messages to the next owner",
          "[sessions][redelivery]") {
  const QueueConfig queue = SessionQueue(rig);
  rig.MustSend(rig.OpenSender(queue), Of("a", "m"));
  Receiver& first = rig.OpenReceiver(queue);
  const LaneEvent lane = Accept(rig, first, "a");
  rig.MustTake(first, 1);
  first.handle->DropLane(lane.lane, lane.epoch);
  REQUIRE(rig.Until([&] { return first.lanes.size() == 2; }));
  CHECK(first.lanes[1].state == LaneState::kClosed);
  Receiver& second = rig.OpenReceiver(queue, &rig.Connect());
  CHECK(Accept(rig, second, "a").state == LaneState::kOpened);
  CHECK(Bodies(rig.MustTake(second, 1)) == std::vector<std::string>{"m"});
}

BEHAVIOUR("a token of a dropped session is answered aborted",
          "[sessions][stale]") {
  const QueueConfig queue = SessionQueue(rig);
  rig.MustSend(rig.OpenSender(queue), Of("a", "m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const LaneEvent lane = Accept(rig, rx, "a");
  const Token token = rig.MustTake(rx, 1)[0].token;
  rx.handle->DropLane(lane.lane, lane.epoch);
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
  Accept(rig, rx, "a");
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("a session keeps its order, whatever is given back",
          "[sessions][order]") {
  const QueueConfig queue = SessionQueue(rig);
  Sender& tx = rig.OpenSender(queue);
  for (const char* body : {"0", "1", "2", "3"}) {
    rig.MustSend(tx, Of("a", body));
  }
  Receiver& rx = rig.OpenReceiver(queue);
  Accept(rig, rx, "a");
  const auto got = rig.MustTake(rx, 2);
  rig.MustSettle(rx, got[0].token, Verb::kRelease);
  rig.MustSettle(rx, got[1].token, Verb::kRelease);
  CHECK(Bodies(rig.MustTake(rx, 4)) ==
        std::vector<std::string>{"0", "1", "2", "3"});
}

BEHAVIOUR("a lane may have credit of its own", "[sessions][credit]") {
  const QueueConfig queue = SessionQueue(rig);
  Sender& tx = rig.OpenSender(queue);
  for (int i = 0; i < 5; ++i) {
    rig.MustSend(tx, Of("a", "a"));
    rig.MustSend(tx, Of("b", "b"));
  }
  Receiver& rx = rig.OpenReceiver(queue);
  const LaneEvent a = Accept(rig, rx, "a");
  Accept(rig, rx, "b");
  rx.Grant(2, 1 << 20, a.lane);
  REQUIRE(rig.Until([&] { return rx.got.size() == 2; }));
  rig.Quiet();
  CHECK(Bodies(rx.got) == std::vector<std::string>{"a", "a"});
}

BEHAVIOUR("a session keeps its state", "[sessions]") {
  const QueueConfig queue = SessionQueue(rig);
  Request set = MakeRequest(Request::Op::kSetSessionState, queue);
  set.lane = "a";
  set.state = Bytes::Copy("step 3");
  rig.Demand(rig.Await(rig.Main(), set).status);
  Request get = MakeRequest(Request::Op::kGetSessionState, queue);
  get.lane = "a";
  CHECK(rig.Await(rig.Main(), get).state.view() == "step 3");
  get.lane = "b";
  CHECK(rig.Await(rig.Main(), get).state.empty());
}

BEHAVIOUR("a session whose lock runs out is closed as a fault",
          "[sessions][locks]") {
  const QueueConfig queue = SessionQueue(rig, absl::Seconds(2));
  rig.MustSend(rig.OpenSender(queue), Of("a", "m"));
  Receiver& rx = rig.OpenReceiver(queue);
  Accept(rig, rx, "a");
  const Token token = rig.MustTake(rx, 1)[0].token;
  rig.Pass(absl::Seconds(3));
  REQUIRE(rig.Until([&] { return rx.lanes.size() == 2; }));
  CHECK(rx.lanes[1].state == LaneState::kClosed);
  CHECK(rx.lanes[1].is_fault);
  CHECK(rig.SettleOne(rx, token, Verb::kComplete).code() ==
        absl::StatusCode::kAborted);
}

BEHAVIOUR("renewing a session keeps it", "[sessions][locks]") {
  const QueueConfig queue = SessionQueue(rig, absl::Seconds(2));
  rig.MustSend(rig.OpenSender(queue), Of("a", "m"));
  Receiver& rx = rig.OpenReceiver(queue);
  const LaneEvent lane = Accept(rig, rx, "a");
  const Token token = rig.MustTake(rx, 1)[0].token;
  rig.Pass(absl::Seconds(1));
  rig.MustSettle(rx, Token{lane.lane, lane.epoch, 0}, Verb::kRenew);
  rig.Pass(absl::Milliseconds(1500));
  rig.MustSettle(rx, token, Verb::kComplete);
}

BEHAVIOUR("accepting a session without sessions is refused", "[sessions]") {
  if (rig.Has(Capability::kSessions)) rig.Skip("the backend has sessions");
  Receiver& rx = rig.OpenReceiver(rig.NewQueue());
  CHECK(rx.handle->AcceptLane("a").code() == absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace tieline::conformance
