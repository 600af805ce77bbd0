// The pure rules: back-off, retry budget, one unresolved send for each key.
#include <string>
#include <vector>

#include "lib/policy/backoff.h"
#include "lib/policy/key_window.h"
#include "lib/policy/retry_budget.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST_CASE("back-off doubles from its least to its most") {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1), 0);
  for (const int ms : {100, 200, 400, 800, 1000, 1000}) {
    CHECK(backoff.Next(0.5) == absl::Milliseconds(ms));
  }
  CHECK(backoff.failures() == 6);
  backoff.Reset();
  CHECK(backoff.Next(0.5) == absl::Milliseconds(100));
}

TEST_CASE("jitter only shortens a back-off, within its share") {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1), 0.5);
  CHECK(backoff.Delay(0, 0) == absl::Milliseconds(100));
  CHECK(backoff.Delay(0, 0.999999) >= absl::Milliseconds(50));
  CHECK(backoff.Delay(3, 0.5) == absl::Milliseconds(600));
}

TEST_CASE("back-off stays at its most however often it failed") {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(10), 0);
  for (int i = 0; i < 100; ++i) {
    CHECK(backoff.Next(0) <= absl::Seconds(10));
  }
  CHECK(backoff.Delay(4000000000u, 0) == absl::Seconds(10));
}

TEST_CASE("the reserve of re-sends is there at once, and no more") {
  RetryBudget budget(0, 3, 0);
  CHECK(budget.Wait() == absl::ZeroDuration());
  for (int i = 0; i < 3; ++i) CHECK(budget.Take(kStart));
  CHECK_FALSE(budget.Take(kStart));
  CHECK_FALSE(budget.Take(kStart + absl::Hours(1)));
  CHECK(budget.Wait() > absl::ZeroDuration());
}

TEST_CASE("first sends earn re-sends by the ratio, up to the reserve") {
  RetryBudget budget(0.1, 5, 0);
  while (budget.Take(kStart)) {
  }
  budget.OnFirstSends(25);
  CHECK(budget.Take(kStart));
  CHECK(budget.Take(kStart));
  CHECK_FALSE(budget.Take(kStart));
  budget.OnFirstSends(100000);
  int taken = 0;
  while (budget.Take(kStart)) ++taken;
  CHECK(taken == 5);
}

TEST_CASE("time earns re-sends, and Wait says when the next one is there") {
  RetryBudget budget(0, 2, 10);
  while (budget.Take(kStart)) {
  }
  CHECK(budget.Wait() == absl::Milliseconds(100));
  CHECK_FALSE(budget.Take(kStart + absl::Milliseconds(50)));
  CHECK(budget.Take(kStart + absl::Milliseconds(101)));
  // A time that falls earns nothing and breaks nothing.
  CHECK_FALSE(budget.Take(kStart));
}

TEST_CASE("who waits as long as told makes progress, however sums round") {
  for (int rate = 1; rate <= 100; ++rate) {
    RetryBudget budget(0, 10, rate);
    absl::Time now = kStart;
    for (int taken = 0; taken < 100;) {
      if (budget.Take(now)) {
        ++taken;
        continue;
      }
      const absl::Time then = now + budget.Wait();
      REQUIRE(then > now);
      now = then;
    }
    CHECK(now <= kStart + absl::Seconds(100) / rate);
  }
}

TEST_CASE("without a reserve re-sends still come at their rate") {
  RetryBudget budget(0, 0, 10);
  CHECK_FALSE(budget.Take(kStart));
  CHECK(budget.Take(kStart + absl::Milliseconds(200)));
}

TEST_CASE("the first of a key goes, the others wait in order") {
  KeyWindow<int> window;
  CHECK(window.Admit(1, 10));
  CHECK_FALSE(window.Admit(1, 11));
  CHECK_FALSE(window.Admit(1, 12));
  CHECK(window.Admit(2, 20));
  CHECK(window.keys() == 2);
  CHECK(window.waiting() == 2);
  int next = 0;
  REQUIRE(window.Release(1, &next));
  CHECK(next == 11);
  CHECK_FALSE(window.Admit(1, 13));
  REQUIRE(window.Release(1, &next));
  CHECK(next == 12);
  REQUIRE(window.Release(1, &next));
  CHECK(next == 13);
  CHECK_FALSE(window.Release(1, &next));
  CHECK(window.keys() == 1);
  CHECK(window.waiting() == 0);
}

TEST_CASE("a key that is done leaves nothing behind") {
  KeyWindow<int> window;
  int next = 0;
  for (uint64_t key = 0; key < 10000; ++key) {
    REQUIRE(window.Admit(key, 1));
    REQUIRE_FALSE(window.Release(key, &next));
  }
  CHECK(window.keys() == 0);
  CHECK_FALSE(window.Release(7, &next));
}

}  // namespace
}  // namespace tieline
