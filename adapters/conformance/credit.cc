// Credit and drain: nothing is delivered that was not granted.
#include <algorithm>

#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Verb;

BEHAVIOUR("nothing is delivered without credit", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(5));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.Quiet();
  CHECK(rx.got.empty());
  CHECK(rig.MustTake(rx, 5).size() == 5);
}

BEHAVIOUR("no more is delivered than was granted", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustTake(rx, 7);
  rig.Quiet();
  CHECK(rx.got.size() == 7);
}

BEHAVIOUR("credit adds up", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(3);
  rx.Grant(4);
  rx.Grant(5);
  REQUIRE(rig.Until([&] { return rx.got.size() >= 12; }));
  rig.Quiet();
  CHECK(rx.got.size() == 12);
}

BEHAVIOUR("settling gives no credit", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(10));
  Receiver& rx = rig.OpenReceiver(queue);
  for (const driver::Inbound& m : rig.MustTake(rx, 4)) {
    rig.MustSettle(rx, m.token, Verb::kComplete);
  }
  rig.Quiet();
  CHECK(rx.got.size() == 4);
}

BEHAVIOUR("credit in bytes is exceeded by one message at most", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  std::vector<Message> list;
  for (int i = 0; i < 20; ++i) list.emplace_back(std::string(1000, 'b'));
  rig.MustSend(rig.OpenSender(queue), std::move(list));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(100, 3500);
  REQUIRE(rig.Until([&] { return rx.got.size() >= 3; }));
  rig.Quiet();
  CHECK(rx.got.size() >= 3);
  CHECK(rx.got.size() <= 4);
}

BEHAVIOUR("more credit in bytes lets the rest come", "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  std::vector<Message> list;
  for (int i = 0; i < 10; ++i) list.emplace_back(std::string(1000, 'b'));
  rig.MustSend(rig.OpenSender(queue), std::move(list));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(100, 2500);
  REQUIRE(rig.Until([&] { return rx.got.size() >= 2; }));
  rig.Quiet();
  CHECK(rx.got.size() < 10);
  rx.Grant(1, 1 << 20);
  REQUIRE(rig.Until([&] { return rx.got.size() == 10; }));
}

BEHAVIOUR("one message larger than the credit in bytes still comes",
          "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message(std::string(50000, 'b')));
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10, 1);
  REQUIRE(rig.Until([&] { return rx.got.size() == 1; }));
  CHECK(rx.got[0].message.body_view().size() == 50000);
}

BEHAVIOUR("credit granted to an empty queue is used when messages come",
          "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(10);
  rig.Quiet();
  CHECK(rx.got.empty());
  rig.MustSend(rig.OpenSender(queue), Numbered(3));
  REQUIRE(rig.Until([&] { return rx.got.size() == 3; }));
}

BEHAVIOUR("a receiver on another connection is woken when messages come",
          "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  Receiver& rx = rig.OpenReceiver(queue, &rig.Connect());
  rx.Grant(10);
  rig.Quiet();
  rig.MustSend(rig.OpenSender(queue), Message("over there"));
  REQUIRE(rig.Until([&] { return rx.got.size() == 1; }));
}

BEHAVIOUR("two receivers share a queue, each message going to one",
          "[credit]") {
  const QueueConfig queue = rig.NewQueue();
  Receiver& a = rig.OpenReceiver(queue);
  Receiver& b = rig.OpenReceiver(queue, &rig.Connect());
  a.Grant(200);
  b.Grant(200);
  rig.Quiet();
  rig.MustSend(rig.OpenSender(queue), Numbered(100));
  REQUIRE(rig.Until([&] { return a.got.size() + b.got.size() >= 100; }));
  rig.Quiet();
  std::vector<std::string> all = Bodies(a.got);
  for (std::string& body : Bodies(b.got)) all.push_back(std::move(body));
  std::sort(all.begin(), all.end());
  CHECK(std::unique(all.begin(), all.end()) == all.end());
  CHECK(all.size() == 100);
}

BEHAVIOUR("draining an empty queue is answered", "[drain]") {
  Receiver& rx = rig.OpenReceiver(rig.NewQueue());
  rx.Grant(10);
  rx.handle->Drain();
  REQUIRE(rig.Until([&] { return rx.drained == 1; }));
  CHECK(rx.got.empty());
}

BEHAVIOUR("draining without credit is answered", "[drain]") {
  Receiver& rx = rig.OpenReceiver(rig.NewQueue());
  rx.handle->Drain();
  REQUIRE(rig.Until([&] { return rx.drained == 1; }));
  CHECK(rx.drained == 1);
}

BEHAVIOUR("nothing is delivered after a drain was answered", "[drain]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(1000);
  rx.handle->Drain();
  REQUIRE(rig.Until([&] { return rx.drained == 1; }));
  const size_t before = rx.got.size();
  rig.MustSend(tx, Numbered(20));
  rig.Quiet();
  CHECK(rx.got.size() == before);
}

BEHAVIOUR("credit after a drain counts from nothing", "[drain]") {
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue);
  Receiver& rx = rig.OpenReceiver(queue);
  rx.Grant(1000);
  rx.handle->Drain();
  REQUIRE(rig.Until([&] { return rx.drained == 1; }));
  rig.MustSend(tx, Numbered(20));
  rig.MustTake(rx, 5);
  rig.Quiet();
  CHECK(rx.got.size() == 5);
}

BEHAVIOUR("what was delivered before a drain can be settled after it",
          "[drain]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(2));
  Receiver& rx = rig.OpenReceiver(queue);
  const auto got = rig.MustTake(rx, 2);
  rx.handle->Drain();
  REQUIRE(rig.Until([&] { return rx.drained == 1; }));
  rig.MustSettle(rx, got[0].token, Verb::kComplete);
  rig.MustSettle(rx, got[1].token, Verb::kComplete);
  CHECK(rx.settled.size() == 2);
}

}  // namespace
}  // namespace tieline::conformance
