#include "lib/base/ring.h"

#include <deque>
#include <memory>
#include <string>

#include "tests/support/catch.h"

namespace tieline::inline v0 {
namespace {

TEST_CASE("a ring does what a deque does, also around its end") {
  Ring<int> ring;
  std::deque<int> deque;
  uint32_t random = 1;
  for (int i = 0; i < 20000; ++i) {
    random = random * 1664525 + 1013904223;
    const uint32_t what = random >> 29;
    if (what < 4) {
      ring.push_back(i);
      deque.push_back(i);
    } else if (what == 4) {
      ring.push_front(i);
      deque.push_front(i);
    } else if (!deque.empty()) {
      REQUIRE(ring.front() == deque.front());
      REQUIRE(ring.back() == deque.back());
      REQUIRE(ring.pop_front() == deque.front());
      deque.pop_front();
    }
    if (i % 1000 == 999) {
      const auto odd = [](int v) { return v % 2 == 1; };
      ring.EraseIf(odd);
      std::erase_if(deque, odd);
    }
    REQUIRE(ring.size() == deque.size());
  }
  for (size_t i = 0; i < deque.size(); ++i) CHECK(ring[i] == deque[i]);
}

TEST_CASE("a ring lets go of what was taken out of it") {
  const auto shared = std::make_shared<int>(1);
  Ring<std::shared_ptr<int>> ring;
  for (int i = 0; i < 40; ++i) ring.push_back(shared);
  ring.pop_front(10);
  CHECK(shared.use_count() == 31);
  int seen = 0;
  ring.EraseIf([&](const auto&) { return seen++ % 2 == 0; });
  CHECK(shared.use_count() == 16);
  ring.clear();
  CHECK(shared.use_count() == 1);
  CHECK(ring.empty());
}

}  // namespace
}  // namespace tieline::inline v0
