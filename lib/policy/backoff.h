// Backoff: growing, jittered, bounded delays. Pure: randomness comes in.
#ifndef TIELINE_LIB_POLICY_BACKOFF_H_
#define TIELINE_LIB_POLICY_BACKOFF_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace tieline::inline v0 {

class Backoff {
 public:
  // Delays grow from `min` by doubling to `max`; each is drawn from
  // [delay * (1 - jitter), delay].
  Backoff(absl::Duration min, absl::Duration max, double jitter)
      : min_(min), max_(max), jitter_(jitter) {}

  // The next delay. `random` is uniform in [0, 1).
  absl::Duration Next(double random) {
    const absl::Duration delay = Delay(failures_, random);
    if (failures_ < kMaxDoublings) ++failures_;
    return delay;
  }
  // The delay after `failures` earlier ones (0: the first).
  absl::Duration Delay(uint32_t failures, double random) const {
    const auto factor =
        static_cast<double>(1u << std::min(failures, kMaxDoublings));
    const absl::Duration delay = std::min(min_ * factor, max_);
    return delay * (1.0 - jitter_ * random);
  }
  void Reset() { failures_ = 0; }
  uint32_t failures() const { return failures_; }

 private:
  static constexpr uint32_t kMaxDoublings = 30;

  absl::Duration min_;
  absl::Duration max_;
  double jitter_;
  uint32_t failures_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_BACKOFF_H_
