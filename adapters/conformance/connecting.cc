// Connections: made, refused, lost.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Fate;
using driver::Request;
using driver::Verb;

BEHAVIOUR("a connection says once that it is up", "[connection]") {
  Peer& peer = rig.Connect();
  rig.Quiet();
  CHECK(peer.ups == 1);
  CHECK(!peer.lost.has_value());
}

BEHAVIOUR("a connection can do what its driver says for certain",
          "[connection]") {
  const uint64_t certain = rig.harness().driver().capabilities().bits;
  CHECK((rig.Main().capabilities.bits & certain) == certain);
}

BEHAVIOUR("links report what they can do", "[connection]") {
  const QueueConfig queue = rig.NewQueue();
  CHECK(rig.OpenSender(queue).capabilities.bits != 0);
  CHECK(rig.OpenReceiver(queue).capabilities.bits != 0);
}

BEHAVIOUR("handles may be opened before the connection is up", "[connection]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Begin();
  Sender& tx = rig.BeginSender(queue, &peer);
  Receiver& rx = rig.BeginReceiver(queue, &peer);
  REQUIRE(rig.Until([&] { return tx.opened == 1 && rx.opened == 1; }));
  rig.MustSend(tx, Message("early"));
  CHECK(rig.MustTake(rx, 1).size() == 1);
}

BEHAVIOUR("wrong credentials lose the connection for good",
          "[connection][auth]") {
  Peer& peer = rig.Begin(rig.Get(rig.harness().WrongCredentials()));
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  CHECK(peer.ups == 0);
  const bool for_good =
      peer.lost->code() == absl::StatusCode::kUnauthenticated ||
      peer.lost->code() == absl::StatusCode::kPermissionDenied;
  INFO(peer.lost->ToString());
  CHECK(for_good);
}

BEHAVIOUR("an error never shows the password", "[connection][auth]") {
  BrokerConfig wrong = rig.Get(rig.harness().WrongCredentials());
  if (wrong.auth.password.empty()) rig.Skip("there is no password");
  Peer& peer = rig.Begin(wrong);
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  CHECK(peer.lost->ToString().find(wrong.auth.password.Reveal()) ==
        std::string::npos);
}

BEHAVIOUR("a broker that nobody is at is unavailable", "[connection]") {
  BrokerConfig nowhere = rig.Get(rig.harness().Unreachable());
  nowhere.connect_timeout = absl::Seconds(2);
  Peer& peer = rig.Begin(nowhere);
  REQUIRE(rig.Until([&] { return peer.lost.has_value(); }));
  INFO(peer.lost->ToString());
  CHECK(peer.lost->code() == absl::StatusCode::kUnavailable);
  CHECK(peer.ups == 0);
}

BEHAVIOUR("many connections live side by side", "[connection]") {
  const QueueConfig queue = rig.NewQueue();
  for (int i = 0; i < 20; ++i) {
    rig.MustSend(rig.OpenSender(queue, &rig.Connect()),
                 Message("from " + std::to_string(i)));
  }
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 20).size() == 20);
}

BEHAVIOUR("a lost connection leaves unanswered sends in doubt",
          "[connection][lost]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.Demand(rig.harness().Stall());
  tx.Send(Numbered(10));
  tx.Pump();
  const uint64_t taken = tx.submitted;
  REQUIRE(taken > 0);
  rig.Turn();
  CHECK(tx.outcomes.empty());
  rig.MustCut();
  CHECK(tx.outcomes.size() == taken);
  for (const auto& [cookie, outcome] : tx.outcomes) {
    const bool in_doubt =
        outcome.fate == Fate::kUnknown || outcome.fate == Fate::kNotTaken;
    CHECK(in_doubt);
  }
}

BEHAVIOUR("a lost connection is said once, and nothing after it",
          "[connection][lost]") {
  const QueueConfig queue = rig.NewQueue();
  Peer& peer = rig.Connect();
  Sender& tx = rig.OpenSender(queue, &peer);
  rig.OpenReceiver(queue, &peer).Grant(100);
  tx.Send(Numbered(50));
  tx.Pump();
  rig.MustCut();
  CHECK(peer.lost->code() == absl::StatusCode::kUnavailable);
  for (int i = 0; i < 20; ++i) peer.Run(rig.Now());
  CHECK(tx.outcomes.size() == tx.submitted);
}

BEHAVIOUR("a lost connection gives unsettled deliveries back",
          "[connection][lost][redelivery]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 5);
  rig.MustCut();
  rig.Demand(rig.harness().Resume());
  Receiver& next = rig.OpenReceiver(queue);
  next.Grant(5);
  REQUIRE(rig.Until([&] { return next.got.size() == 5; },
                    rig.limits().patience * 3));
  CHECK(Bodies(next.got) ==
        std::vector<std::string>{"m0", "m1", "m2", "m3", "m4"});
}

BEHAVIOUR("settlements that a lost connection left open are answered",
          "[connection][lost][settle]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 5);
  rig.Demand(rig.harness().Stall());
  rx.SettleAll(Verb::kComplete);
  rig.MustCut();
  REQUIRE(rx.settled.size() == 5);
  for (const driver::Settled& s : rx.settled) {
    INFO(s.status.ToString());
    CHECK((s.status.ok() || s.status.code() == absl::StatusCode::kUnavailable ||
           s.status.code() == absl::StatusCode::kAborted));
  }
}

BEHAVIOUR("requests that a lost connection left open are answered",
          "[connection][lost]") {
  Peer& peer = rig.Main();
  rig.Demand(rig.harness().Stall());
  const uint64_t cookie = peer.Ask(MakeRequest(Request::Op::kPing, {}));
  rig.MustCut();
  REQUIRE(peer.replies[cookie].size() == 1);
  CHECK(!peer.replies[cookie][0].status.ok());
}

BEHAVIOUR("a new connection works after one was lost", "[connection][lost]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message("before"));
  rig.MustCut();
  rig.Demand(rig.harness().Resume());
  rig.MustSend(rig.OpenSender(queue), Message("after"));
  const auto got = rig.MustTake(rig.OpenReceiver(queue), 2);
  CHECK(Bodies(got) == std::vector<std::string>{"before", "after"});
}

BEHAVIOUR("accepted messages outlive the connection that sent them",
          "[connection][lost]") {
  const QueueConfig queue = rig.NewQueue();
  if (!rig.limits().keeps_over_cut) rig.Skip("the broker is cut with it");
  rig.MustSend(rig.OpenSender(queue), Numbered(100));
  rig.MustCut();
  rig.Demand(rig.harness().Resume());
  CHECK(rig.MustTake(rig.OpenReceiver(queue), 100).size() == 100);
}

BEHAVIOUR("a broker that stops answering answers nothing", "[connection]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  rig.Demand(rig.harness().Stall());
  tx.Send(Numbered(3));
  rig.Quiet();
  CHECK(tx.outcomes.empty());
  rig.Demand(rig.harness().Resume());
  REQUIRE(
      rig.Until([&] { return tx.AllAnswered() || tx.peer->lost.has_value(); }));
}

}  // namespace
}  // namespace tieline::conformance
