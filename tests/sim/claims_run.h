// The claims of an inbox (lib/policy/claims.h) by themselves: a seed decides
// which copies come, whose handler fails, and who goes away. The bus has no
// inbox in the simulation yet.
#ifndef TIELINE_TESTS_SIM_CLAIMS_RUN_H_
#define TIELINE_TESTS_SIM_CLAIMS_RUN_H_

#include <cstdint>
#include <string>

namespace tieline::sim {

// What was violated first; empty: nothing.
std::string RunClaims(uint64_t seed);

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_CLAIMS_RUN_H_
