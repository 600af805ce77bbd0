#include "lib/base/entropy.h"

#include <atomic>
#include <random>

namespace tieline::inline v0 {
namespace {

std::atomic<uint64_t> seeded{0};

}  // namespace

uint64_t Entropy() {
  if (seeded.load(std::memory_order_relaxed) == 0) {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }
  // splitmix64.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;
  uint64_t z = seeded.fetch_add(kStep, std::memory_order_relaxed) + kStep;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

void SeedEntropy(uint64_t seed) { seeded.store(seed); }

}  // namespace tieline::inline v0
