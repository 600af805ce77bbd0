// Clock: where time comes from. Everything that needs time takes one.
// Threads: every call from any thread.
#ifndef TIELINE_CLOCK_H_
#define TIELINE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace tieline::inline v0 {

class Clock {
 public:
  virtual ~Clock() = default;
  // Calendar time; may jump. For stamps, TTL and expiry.
  virtual absl::Time Now() const = 0;
  // Time that never falls, from an arbitrary start. For deadlines and ages.
  virtual absl::Time Steady() const = 0;

  // The system's clocks. Lives for ever.
  static Clock* System();
};

// A clock that stands still until it is moved, for tests and simulation.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start = absl::FromUnixSeconds(1700000000));
  absl::Time Now() const override;
  absl::Time Steady() const override;
  // Moves both; `by` >= 0.
  void Advance(absl::Duration by);
  // Moves calendar time alone, either way.
  void JumpWall(absl::Duration by);

 private:
  std::atomic<int64_t> steady_ns_;
  std::atomic<int64_t> wall_offset_ns_{0};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_CLOCK_H_
