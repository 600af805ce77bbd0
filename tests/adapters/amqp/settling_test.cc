#include "adapters/amqp/engine/settling.h"

#include "tests/adapters/amqp/pair.h"
#include "tests/support/catch.h"

namespace tieline::amqp_test {
namespace {

using Kind = wire::DeliveryState::Kind;
using wire::Settling;

constexpr absl::Time kNow = absl::UnixEpoch();

// Every `step`th id of [first, end).
void AddEach(Settling* settling, uint32_t first, uint32_t end, uint32_t step) {
  for (uint32_t id = first; id < end; id += step) {
    settling->Add(Kind::kAccepted, true, id);
  }
}

size_t Written(Settling* settling) {
  wire::Writer out;
  settling->Write(0, &out);
  return out.size();
}

// The most that one disposition takes.
constexpr size_t kOneFrame = 32;

TEST_CASE("deliveries settled in their order do not wait") {
  Settling settling;
  AddEach(&settling, 0, 1000, 1);
  CHECK(!settling.Waits(kNow));
  CHECK(Written(&settling) <= kOneFrame);
  CHECK(Written(&settling) == 0);
}

TEST_CASE("few deliveries do not wait, whatever their order") {
  Settling settling;
  AddEach(&settling, 0, 2 * Settling::kFew, 2);
  CHECK(!settling.Waits(kNow));
  CHECK(Written(&settling) >= Settling::kFew * 20);
}

TEST_CASE("many with gaps wait for those between, and are one range then") {
  Settling settling;
  AddEach(&settling, 0, 400, 4);
  REQUIRE(settling.Waits(kNow));
  CHECK(settling.due() == kNow + Settling::kWait);
  for (uint32_t first = 1; first < 4; ++first) {
    AddEach(&settling, first, 400, 4);
    CHECK(settling.Waits(kNow + first * absl::Milliseconds(1)));
  }
  CHECK(settling.due() == kNow + Settling::kWait);  // the first one's
  CHECK(!settling.Waits(kNow + Settling::kWait));
  CHECK(Written(&settling) <= kOneFrame);
  CHECK(settling.due() == absl::InfiniteFuture());
}

TEST_CASE("no more wait than a bound, and none without a time") {
  Settling settling;
  AddEach(&settling, 0, 2 * (Settling::kMost - 1), 2);
  CHECK(!settling.Waits(absl::InfiniteFuture()));
  CHECK(settling.Waits(kNow));
  settling.Add(Kind::kAccepted, true, 100000);
  CHECK(!settling.Waits(kNow));
}

TEST_CASE(
    "each outcome has frames of its own, over the end of serial numbers") {
  Settling settling;
  for (uint32_t i = 0; i < 20; ++i) {
    settling.Add(Kind::kAccepted, false, UINT32_MAX - 9 + i);
    settling.Add(Kind::kReleased, true, 100 + i);
  }
  CHECK(!settling.Waits(kNow));
  const size_t two = Written(&settling);
  CHECK(two > kOneFrame);
  CHECK(two <= 2 * kOneFrame);
}

// A link of the client's, with `count` deliveries that it has not settled.
class Received {
 public:
  explicit Received(uint32_t count) {
    pair.server.on_sendable = [count, this](wire::Link* out) {
      while (sent_ < count) CHECK(pair.server.Send(out, sent_++, "body"));
    };
    wire::LinkSpec spec;
    spec.name = "in";
    spec.address = "queue";
    link = pair.Attach(spec);
    link->AddCredit(count);
    pair.Run();
    REQUIRE(pair.client.ids.size() == count);
  }
  // Every second one.
  void SettleHalf() {
    wire::DeliveryState state;
    state.kind = Kind::kAccepted;
    for (size_t i = 0; i < pair.client.ids.size(); i += 2) {
      CHECK(link->Settle(pair.client.ids[i], state, true));
    }
  }

  Pair pair;
  wire::Link* link = nullptr;

 private:
  uint64_t sent_ = 0;
};

TEST_CASE("a link writes what waited when its time has come") {
  Received in(100);
  wire::Engine& engine = in.pair.client.engine;
  in.SettleHalf();
  engine.Flush(kNow);
  CHECK(engine.output()->empty());
  CHECK(engine.Tick(kNow) == kNow + Settling::kWait);
  engine.Flush(kNow + Settling::kWait);
  CHECK(!engine.output()->empty());
  in.pair.Run();
  CHECK(in.pair.server.outcomes.size() == 50);
  engine.Flush(kNow + Settling::kWait);
  CHECK(engine.output()->empty());
}

TEST_CASE("a link that is detached writes at once what waited") {
  Received in(100);
  wire::Engine& engine = in.pair.client.engine;
  in.SettleHalf();
  engine.Flush(kNow);
  REQUIRE(engine.output()->empty());
  in.link->Detach();
  in.pair.Run();
  CHECK(in.pair.server.outcomes.size() == 50);
  CHECK(in.pair.client.detached.size() == 1);
}

}  // namespace
}  // namespace tieline::amqp_test
