// How much memory the process has resident, over a run.
#ifndef TIELINE_BENCHMARKS_END_TO_END_RELAY_MEMORY_USE_H_
#define TIELINE_BENCHMARKS_END_TO_END_RELAY_MEMORY_USE_H_

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <vector>

namespace tieline::bench {

inline long ResidentKib() {
  long pages = 0;
  long size = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

// One sample a second.
class MemoryUse {
 public:
  void Sample(double seconds) {
    if (seconds < static_cast<double>(samples_.size())) return;
    samples_.push_back(ResidentKib());
  }
  // The median of the run's second tenth: the start is over.
  long early() const { return Median(0.1, 0.2); }
  long late() const { return Median(0.9, 1.0); }
  long most() const {
    return samples_.empty()
               ? ResidentKib()
               : *std::max_element(samples_.begin(), samples_.end());
  }

 private:
  long Median(double from, double to) const {
    if (samples_.empty()) return ResidentKib();
    const auto n = static_cast<double>(samples_.size());
    const auto first = static_cast<size_t>(from * n);
    const auto last = std::max(
        first + 1,
        std::min(samples_.size(), static_cast<size_t>(std::lround(to * n))));
    std::vector<long> part(samples_.begin() + static_cast<long>(first),
                           samples_.begin() + static_cast<long>(last));
    std::nth_element(part.begin(), part.begin() + part.size() / 2, part.end());
    return part[part.size() / 2];
  }

  std::vector<long> samples_;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_RELAY_MEMORY_USE_H_
