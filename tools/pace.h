// Keeps to a rate.
#ifndef TIELINE_TOOLS_PACE_H_
#define TIELINE_TOOLS_PACE_H_

#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/stop.h"

namespace tieline::tools {

class Pace {
 public:
  // Waits until it is time for the n-th (from 1) at `rate` a second; not at
  // all at rate 0. Returns early when stopped.
  void WaitFor(uint64_t n, double rate) {
    if (rate <= 0) return;
    const absl::Time now = absl::Now();
    if (begin_ == absl::InfinitePast()) begin_ = now;
    const absl::Time due =
        begin_ + absl::Seconds(static_cast<double>(n - 1) / rate);
    if (due > now) WaitForStop(due - now);
  }

 private:
  absl::Time begin_ = absl::InfinitePast();
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_PACE_H_
