// Order.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::Verb;

Message Keyed(std::string_view key, int n) {
  Message message(std::to_string(n));
  message.set_key(key);
  return message;
}

// Bodies of one key, in the order in which they came.
std::vector<std::string> OfKey(const std::vector<Inbound>& list,
                               std::string_view key) {
  std::vector<Inbound> mine;
  for (const Inbound& m : list) {
    if (m.message.key() == key) mine.push_back(m);
  }
  return Bodies(mine);
}

std::vector<std::string> Counted(int n) {
  std::vector<std::string> list;
  for (int i = 0; i < n; ++i) list.push_back(std::to_string(i));
  return list;
}

BEHAVIOUR("messages of one batch keep their order", "[order]") {
  rig.Need(Capability::kOrdering);
  const QueueConfig queue = rig.NewQueue();
  std::vector<Message> list;
  for (int i = 0; i < 300; ++i) list.push_back(Keyed("k", i));
  rig.MustSend(rig.OpenSender(queue, nullptr, true), std::move(list));
  CHECK(OfKey(rig.MustTake(rig.OpenReceiver(queue), 300), "k") == Counted(300));
}

BEHAVIOUR("messages of one key keep their order over many submissions",
          "[order]") {
  rig.Need(Capability::kOrdering);
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue, nullptr, true);
  for (int i = 0; i < 100; ++i) {
    tx.Send(Keyed("k", i));
    tx.Pump();
    if (i % 7 == 0) rig.Turn();
  }
  REQUIRE(rig.Until([&] { return tx.AllAnswered(); }));
  CHECK(OfKey(rig.MustTake(rig.OpenReceiver(queue), 100), "k") == Counted(100));
}

BEHAVIOUR("messages of each of many keys keep their order", "[order]") {
  rig.Need(Capability::kOrdering);
  Shape shape;
  shape.partitions = 4;
  auto made = rig.harness().NewQueue(shape);
  const QueueConfig queue = made.ok() ? *made : rig.NewQueue();
  Sender& tx = rig.OpenSender(queue, nullptr, true);
  std::vector<Message> list;
  for (int i = 0; i < 50; ++i) {
    for (int k = 0; k < 10; ++k) {
      list.push_back(Keyed("key-" + std::to_string(k), i));
    }
  }
  rig.MustSend(tx, std::move(list));
  const auto got = rig.MustTake(rig.OpenReceiver(queue), 500);
  for (int k = 0; k < 10; ++k) {
    CHECK(OfKey(got, "key-" + std::to_string(k)) == Counted(50));
  }
}

BEHAVIOUR("order holds while messages are completed in between", "[order]") {
  rig.Need(Capability::kOrdering);
  const QueueConfig queue = rig.NewQueue();
  Sender& tx = rig.OpenSender(queue, nullptr, true);
  Receiver& rx = rig.OpenReceiver(queue);
  std::vector<Inbound> all;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 10; ++i) tx.Send(Keyed("k", round * 10 + i));
    for (const Inbound& m : rig.MustTake(rx, 10)) {
      rig.MustSettle(rx, m.token, Verb::kComplete);
      all.push_back(m);
    }
  }
  CHECK(OfKey(all, "k") == Counted(100));
}

BEHAVIOUR("positions of deliveries grow within a lane", "[order]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Numbered(50));
  const auto got = rig.MustTake(rig.OpenReceiver(queue), 50);
  if (got[0].position < 0) rig.Skip("deliveries come without a position");
  for (size_t i = 1; i < got.size(); ++i) {
    CHECK(got[i].position > got[i - 1].position);
  }
}

BEHAVIOUR("an abandoned message comes before later ones of its key",
          "[order][redelivery]") {
  rig.Need(Capability::kOrdering);
  rig.Need(Capability::kBrokerRedelivery);
  const QueueConfig queue = rig.NewQueue();
  std::vector<Message> list;
  for (int i = 0; i < 3; ++i) list.push_back(Keyed("k", i));
  rig.MustSend(rig.OpenSender(queue, nullptr, true), std::move(list));
  Receiver& rx = rig.OpenReceiver(queue);
  rig.MustSettle(rx, rig.MustTake(rx, 1)[0].token, Verb::kAbandon);
  CHECK(Bodies(rig.MustTake(rx, 3)) == Counted(3));
}

}  // namespace
}  // namespace tieline::conformance
