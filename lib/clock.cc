#include "tieline/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace tieline::inline v0 {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Time Steady() const override {
    return absl::FromUnixNanos(
        std::chrono::nanoseconds(
            std::chrono::steady_clock::now().time_since_epoch())
            .count());
  }
};

}  // namespace

Clock* Clock::System() {
  static SystemClock clock;
  return &clock;
}

ManualClock::ManualClock(absl::Time start)
    : steady_ns_(absl::ToUnixNanos(start)) {}

absl::Time ManualClock::Now() const {
  return absl::FromUnixNanos(steady_ns_.load() + wall_offset_ns_.load());
}

absl::Time ManualClock::Steady() const {
  return absl::FromUnixNanos(steady_ns_.load());
}

void ManualClock::Advance(absl::Duration by) {
  steady_ns_.fetch_add(absl::ToInt64Nanoseconds(by));
}

void ManualClock::JumpWall(absl::Duration by) {
  wall_offset_ns_.fetch_add(absl::ToInt64Nanoseconds(by));
}

}  // namespace tieline::inline v0
