// Deadline: when a blocking call gives up, by the system's steady clock, which
// neither jumps nor stands still. A thread waits in real time, whatever clock
// the bus was given.
#ifndef TIELINE_LIB_BASE_DEADLINE_H_
#define TIELINE_LIB_BASE_DEADLINE_H_

#include <algorithm>

#include "absl/time/time.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

class Deadline {
 public:
  explicit Deadline(absl::Duration timeout)
      : at_(timeout == absl::InfiniteDuration()
                ? absl::InfiniteFuture()
                : Clock::System()->Steady() + timeout) {}
  // Never negative.
  absl::Duration Left() const {
    if (at_ == absl::InfiniteFuture()) return absl::InfiniteDuration();
    return std::max(at_ - Clock::System()->Steady(), absl::ZeroDuration());
  }
  bool Passed() const { return Left() == absl::ZeroDuration(); }

 private:
  absl::Time at_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_DEADLINE_H_
