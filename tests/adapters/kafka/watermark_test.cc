#include "adapters/kafka/watermark.h"

#include <cstdint>
#include <vector>

#include "tests/support/catch.h"

namespace tieline::kafka {
namespace {

using Mark = Watermark::Mark;

TEST_CASE("nothing is committed before something is settled") {
  Watermark w;
  CHECK(w.position() == -1);
  CHECK(w.Add(100) == 0);
  CHECK(w.Add(101) == 1);
  CHECK(w.position() == -1);
  CHECK(w.gap() == 2);
}

TEST_CASE("the watermark stops below the oldest unsettled record") {
  Watermark w;
  for (int64_t offset = 10; offset < 15; ++offset) w.Add(offset);
  CHECK(w.Settle(0) == Mark::kSettled);
  CHECK(w.position() == 11);
  CHECK(w.Settle(2) == Mark::kSettled);
  CHECK(w.Settle(3) == Mark::kSettled);
  CHECK(w.position() == 11);
  CHECK(w.low() == 1);
  CHECK(w.Settle(1) == Mark::kSettled);
  CHECK(w.position() == 14);
  CHECK(w.low() == 4);
  CHECK(w.gap() == 1);
}

TEST_CASE("holes between offsets do not matter") {
  Watermark w;
  w.Add(7);
  w.Add(1000);
  w.Add(5000000000);
  w.Settle(0);
  CHECK(w.position() == 8);
  w.Settle(1);
  CHECK(w.position() == 1001);
  w.Settle(2);
  CHECK(w.position() == 5000000001);
}

TEST_CASE("settling twice, or what was never handed out, is told") {
  Watermark w;
  w.Add(1);
  w.Add(2);
  CHECK(w.Settle(1) == Mark::kSettled);
  CHECK(w.Settle(1) == Mark::kAlready);
  CHECK(w.Settle(0) == Mark::kSettled);
  CHECK(w.Settle(0) == Mark::kAlready);
  CHECK(w.Settle(2) == Mark::kUnknown);
}

TEST_CASE("settled numbers at and above a number can be listed") {
  Watermark w;
  for (int64_t offset = 0; offset < 6; ++offset) w.Add(offset);
  for (const uint64_t n : {0u, 1u, 3u, 5u}) w.Settle(n);
  std::vector<uint64_t> seen;
  w.EachSettled(1, [&](uint64_t n) { seen.push_back(n); });
  CHECK(seen == std::vector<uint64_t>{1, 3, 5});
}

TEST_CASE("growing keeps what is settled in place") {
  Watermark w;
  int64_t offset = 0;
  // Moves the ring's start before it grows, several times over.
  for (int i = 0; i < 200; ++i) w.Settle(w.Add(offset++));
  for (int i = 0; i < 5000; ++i) w.Add(offset++);
  CHECK(w.low() == 200);
  for (uint64_t n = 5199; n > 200; --n) {
    REQUIRE(w.Settle(n) == Mark::kSettled);
  }
  CHECK(w.position() == 200);
  CHECK(w.Settle(200) == Mark::kSettled);
  CHECK(w.position() == 5200);
  CHECK(w.gap() == 0);
}

}  // namespace
}  // namespace tieline::kafka
