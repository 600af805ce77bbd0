// What becomes of sends.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Fate;
using driver::Outbound;

BEHAVIOUR("an accepted send is answered accepted", "[outcomes]") {
  Sender& tx = rig.OpenSender(rig.NewQueue());
  const uint64_t cookie = tx.Send(Message("hello"));
  REQUIRE(rig.Until([&] { return tx.Answered(cookie); }));
  CHECK(tx.outcomes.at(cookie).fate == Fate::kAccepted);
  CHECK(tx.outcomes.at(cookie).why.ok());
}

BEHAVIOUR("every send of a batch is answered exactly once", "[outcomes]") {
  Sender& tx = rig.OpenSender(rig.NewQueue());
  tx.Send(Numbered(1000));
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }));
  rig.Quiet();  // a second answer would break a rule of the rig
  CHECK(tx.Count(Fate::kAccepted) == 1000);
  CHECK(tx.order.size() == 1000);
}

BEHAVIOUR("positions of accepted sends grow", "[outcomes]") {
  Sender& tx = rig.OpenSender(rig.NewQueue());
  rig.MustSend(tx, Numbered(20));
  if (tx.outcomes.at(1).position < 0) {
    rig.Skip("accepted sends come without a position");
  }
  for (uint64_t c = 2; c <= 20; ++c) {
    CHECK(tx.outcomes.at(c).position > tx.outcomes.at(c - 1).position);
  }
}

BEHAVIOUR("submitting right after opening loses nothing", "[outcomes]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.BeginSender(queue);
  tx.Send(Numbered(10));
  tx.Pump();  // not open yet: none or some may be taken
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }));
  CHECK(tx.Count(Fate::kAccepted) == 10);
}

BEHAVIOUR("an empty submission takes nothing and answers nothing",
          "[outcomes]") {
  Sender& tx = rig.OpenSender(rig.NewQueue());
  CHECK(tx.handle->Submit({}, false) == 0);
  rig.Quiet();
  CHECK(tx.order.empty());
}

BEHAVIOUR("an atomic batch without transactions takes none", "[outcomes]") {
  if (rig.Has(Capability::kTransactions)) {
    rig.Skip("the backend has transactions");
  }
  Sender& tx = rig.OpenSender(rig.NewQueue());
  const Message message("m");
  const Outbound one{1, &message};
  CHECK(tx.handle->Submit({&one, 1}, true) == 0);
  rig.Quiet();
  CHECK(tx.order.empty());
}

BEHAVIOUR("joining a transaction without transactions is unimplemented",
          "[outcomes]") {
  if (rig.Has(Capability::kTransactions)) {
    rig.Skip("the backend has transactions");
  }
  const QueueConfig queue = rig.NewQueue();
  Receiver& rx = rig.OpenReceiver(queue);
  Sender& tx = rig.OpenSender(rig.NewQueue());
  CHECK(tx.handle->Join(rx.handle.get()).code() ==
        absl::StatusCode::kUnimplemented);
}

BEHAVIOUR("a message that is too large is rejected for good",
          "[outcomes][size]") {
  const size_t size = rig.limits().too_large_body;
  if (size == 0) rig.Skip("the backend takes messages of any size");
  Sender& tx = rig.OpenSender(rig.NewQueue());
  const uint64_t cookie = tx.Send(Message(std::string(size, 'x')));
  REQUIRE(rig.Until([&] { return tx.Answered(cookie); }));
  CHECK(tx.outcomes.at(cookie).fate == Fate::kRejected);
  CHECK(tx.outcomes.at(cookie).why.code() ==
        absl::StatusCode::kInvalidArgument);
}

BEHAVIOUR("a rejected message does not take others with it",
          "[outcomes][size]") {
  const size_t size = rig.limits().too_large_body;
  if (size == 0) rig.Skip("the backend takes messages of any size");
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  tx.Send(Message("before"));
  tx.Send(Message(std::string(size, 'x')));
  tx.Send(Message("after"));
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }));
  CHECK(tx.outcomes.at(1).fate == Fate::kAccepted);
  CHECK(tx.outcomes.at(2).fate == Fate::kRejected);
  CHECK(tx.outcomes.at(3).fate == Fate::kAccepted);
  const auto got = rig.MustTake(rig.OpenReceiver(queue), 2);
  CHECK(Bodies(got) == std::vector<std::string>{"before", "after"});
}

BEHAVIOUR("closing a sender sends first what it took", "[outcomes][close]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  tx.Send(Numbered(100));
  tx.Pump();
  const uint64_t taken = tx.submitted;
  tx.handle->Close();
  REQUIRE(rig.Until([&] { return tx.closed.has_value(); }));
  CHECK(tx.closed->ok());
  CHECK(tx.outcomes.size() == taken);
  CHECK(tx.Count(Fate::kAccepted) == taken);
  if (taken > 0) rig.MustTake(rig.OpenReceiver(queue), taken);
}

BEHAVIOUR("sending to an entity that is not there is refused",
          "[outcomes][entities]") {
  const QueueConfig queue = rig.Get(rig.harness().UnknownQueue());
  Sender& tx = rig.BeginSender(queue);
  REQUIRE(rig.Until([&] { return tx.closed.has_value(); }));
  CHECK(tx.closed->code() == absl::StatusCode::kNotFound);
  CHECK(tx.opened == 0);
}

BEHAVIOUR("receiving from an entity that is not there is refused",
          "[entities]") {
  const QueueConfig queue = rig.Get(rig.harness().UnknownQueue());
  Receiver& rx = rig.BeginReceiver(queue);
  REQUIRE(rig.Until([&] { return rx.closed.has_value(); }));
  CHECK(rx.closed->code() == absl::StatusCode::kNotFound);
  CHECK(rx.opened == 0);
}

BEHAVIOUR("a refused link leaves the connection and its other links",
          "[entities]") {
  const QueueConfig unknown = rig.Get(rig.harness().UnknownQueue());
  Sender& good = rig.OpenSender(rig.NewQueue());
  Sender& bad = rig.BeginSender(unknown);
  REQUIRE(rig.Until([&] { return bad.closed.has_value(); }));
  rig.MustSend(good, Message("still here"));
  CHECK(!rig.Main().lost.has_value());
}

BEHAVIOUR("a batch larger than the room is taken piece by piece",
          "[outcomes][back-pressure]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  constexpr size_t kMany = 20000;
  tx.Send(Numbered(kMany));
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }, absl::Seconds(60)));
  CHECK(tx.Count(Fate::kAccepted) == kMany);
}

BEHAVIOUR("a full queue answers not taken, and takes again later",
          "[outcomes][back-pressure]") {
  Shape shape;
  shape.max_depth = 10;
  const QueueConfig queue = rig.NewQueue(shape);
  Sender& tx = rig.OpenSender(queue);
  tx.Send(Numbered(15));
  REQUIRE(rig.Until([&] { return tx.outcomes.size() >= 11; }));
  for (const auto& [cookie, outcome] : tx.outcomes) {
    if (outcome.fate == Fate::kAccepted) continue;
    CHECK(outcome.fate == Fate::kNotTaken);
    CHECK(outcome.why.code() == absl::StatusCode::kResourceExhausted);
  }
  CHECK(tx.Count(Fate::kAccepted) == 10);
  Receiver& rx = rig.OpenReceiver(queue);
  for (const driver::Inbound& m : rig.MustTake(rx, 10)) {
    rig.MustSettle(rx, m.token, driver::Verb::kComplete);
  }
  const uint64_t again = tx.Send(Message("again"));
  REQUIRE(rig.Until([&] { return tx.Answered(again); }));
  CHECK(tx.outcomes.at(again).fate == Fate::kAccepted);
}

}  // namespace
}  // namespace tieline::conformance
