// Rng: the numbers that a seed decides. Values only; the same seed gives the
// same numbers on every machine.
#ifndef TIELINE_TESTS_SIM_RNG_H_
#define TIELINE_TESTS_SIM_RNG_H_

#include <cstdint>

#include "absl/time/time.h"

namespace tieline::sim {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  // splitmix64.
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // In [low, high].
  int Between(int low, int high) {
    const auto n = static_cast<uint64_t>(high - low) + 1;
    return low + static_cast<int>(Next() % n);
  }
  bool Chance(int percent) { return Between(1, 100) <= percent; }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return low + (high - low) * (static_cast<double>(Next() >> 11) * 0x1.0p-53);
  }
  // Another stream: what it is used for does not shift this one.
  Rng Fork() { return Rng(Next()); }

 private:
  uint64_t state_;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_RNG_H_
