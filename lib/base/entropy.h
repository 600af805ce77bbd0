// Entropy: where randomness comes from: the system, or, for simulations, a
// seed.
//
// Threads: any.
#ifndef TIELINE_LIB_BASE_ENTROPY_H_
#define TIELINE_LIB_BASE_ENTROPY_H_

#include <cstdint>

namespace tieline::inline v0 {

// 64 bits that nobody can foresee.
uint64_t Entropy();
// For simulations: from now on Entropy gives the numbers that follow from
// `seed`, to the whole process. 0: the system's again.
void SeedEntropy(uint64_t seed);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_ENTROPY_H_
