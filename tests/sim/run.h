// One seed, from its number to what came of it.
#ifndef TIELINE_TESTS_SIM_RUN_H_
#define TIELINE_TESTS_SIM_RUN_H_

#include <cstdint>
#include <string>

namespace tieline::sim {

struct RunResult {
  uint64_t seed = 0;
  bool ok = true;
  int invariant = -1;   // the first that was violated
  uint64_t digest = 0;  // of the whole trace
  int messages = 0;
  int faults = 0;
  int moves = 0;
  uint64_t rounds = 0;
  double virtual_seconds = 0;
  // Of a failure: what was violated, and what each message concerned did. With
  // `verbose`: what all did.
  std::string report;
};

RunResult RunSeed(uint64_t seed, bool verbose);

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_RUN_H_
