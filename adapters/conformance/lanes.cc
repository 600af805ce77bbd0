// Lanes that the broker gives and takes: the partitions of a shared entity.
#include <map>
#include <set>

#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

using driver::Inbound;
using driver::LaneEvent;
using driver::LaneState;
using driver::Token;
using driver::Verb;

constexpr int32_t kPartitions = 4;

QueueConfig Partitioned(Rig& rig) {
  Shape shape;
  shape.partitions = kPartitions;
  return rig.NewQueue(shape);
}

std::set<uint32_t> OpenLanes(const Receiver& rx) {
  std::set<uint32_t> open;
  for (const LaneEvent& e : rx.lanes) {
    const auto lane = static_cast<uint32_t>(e.lane);
    if (e.state == LaneState::kOpened) open.insert(lane);
    if (e.state == LaneState::kClosed) open.erase(lane);
  }
  return open;
}

// Gives up every lane that is being closed.
void DropClosing(Receiver& rx) {
  std::map<uint32_t, LaneEvent> last;
  for (const LaneEvent& e : rx.lanes) {
    last[static_cast<uint32_t>(e.lane)] = e;
  }
  for (const auto& [lane, e] : last) {
    if (e.state == LaneState::kClosing) rx.handle->DropLane(e.lane, e.epoch);
  }
}

bool Shared(Rig& rig, Receiver& a, Receiver& b) {
  return rig.Until(
      [&] {
        DropClosing(a);
        DropClosing(b);
        return !OpenLanes(a).empty() && !OpenLanes(b).empty() &&
               OpenLanes(a).size() + OpenLanes(b).size() == kPartitions;
      },
      rig.limits().patience * 3);
}

BEHAVIOUR("a lone receiver gets all lanes", "[lanes]") {
  const QueueConfig queue = Partitioned(rig);
  Receiver& rx = rig.OpenReceiver(queue);
  CHECK(rig.Until([&] { return OpenLanes(rx).size() == kPartitions; },
                  rig.limits().patience * 2));
}

BEHAVIOUR("a second receiver takes over part of the lanes", "[lanes]") {
  const QueueConfig queue = Partitioned(rig);
  Receiver& a = rig.OpenReceiver(queue);
  REQUIRE(rig.Until([&] { return OpenLanes(a).size() == kPartitions; },
                    rig.limits().patience * 2));
  Receiver& b = rig.OpenReceiver(queue, &rig.Connect());
  CHECK(Shared(rig, a, b));
}

BEHAVIOUR("a receiver that goes leaves its lanes to the others", "[lanes]") {
  const QueueConfig queue = Partitioned(rig);
  Receiver& a = rig.OpenReceiver(queue);
  Receiver& b = rig.OpenReceiver(queue, &rig.Connect());
  REQUIRE(Shared(rig, a, b));
  b.handle->Close();
  CHECK(rig.Until(
      [&] {
        DropClosing(a);
        return OpenLanes(a).size() == kPartitions;
      },
      rig.limits().patience * 3));
}

BEHAVIOUR("a token of a lane that was taken away is answered aborted",
          "[lanes][stale]") {
  const QueueConfig queue = Partitioned(rig);
  Sender& tx = rig.OpenSender(queue);
  std::vector<Message> list;
  for (int i = 0; i < 40; ++i) {
    list.emplace_back(std::to_string(i));
    list.back().set_key("key-" + std::to_string(i));
  }
  rig.MustSend(tx, std::move(list));
  Receiver& a = rig.OpenReceiver(queue);
  rig.MustTake(a, 40);
  Receiver& b = rig.OpenReceiver(queue, &rig.Connect());
  REQUIRE(Shared(rig, a, b));
  const std::set<uint32_t> kept = OpenLanes(a);
  bool found = false;
  for (size_t i = 0; i < 40 && !found; ++i) {
    const Token token = a.got[i].token;
    if (kept.contains(static_cast<uint32_t>(token.lane))) continue;
    found = true;
    CHECK(rig.SettleOne(a, token, Verb::kComplete).code() ==
          absl::StatusCode::kAborted);
  }
  CHECK(found);
}

BEHAVIOUR("what a lost lane had not settled goes to its next owner",
          "[lanes][redelivery]") {
  const QueueConfig queue = Partitioned(rig);
  std::vector<Message> list;
  for (int i = 0; i < 40; ++i) {
    list.emplace_back(std::to_string(i));
    list.back().set_key("key-" + std::to_string(i));
  }
  rig.MustSend(rig.OpenSender(queue), std::move(list));
  Receiver& a = rig.OpenReceiver(queue);
  rig.MustTake(a, 40);
  Receiver& b = rig.OpenReceiver(queue, &rig.Connect());
  b.Grant(100);
  REQUIRE(Shared(rig, a, b));
  const std::set<uint32_t> kept = OpenLanes(a);
  size_t moved = 0;
  for (const Inbound& m : a.got) {
    moved += !kept.contains(static_cast<uint32_t>(m.token.lane));
  }
  CHECK(rig.Until([&] { return b.got.size() >= moved; }));
  CHECK(moved > 0);
}

}  // namespace
}  // namespace tieline::conformance
