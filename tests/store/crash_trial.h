// CrashTrial: one life of a store on a disk that fails, as of a seed.
#ifndef TIELINE_TESTS_STORE_CRASH_TRIAL_H_
#define TIELINE_TESTS_STORE_CRASH_TRIAL_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tieline::testing {

enum class CrashKind {
  kPower,  // power cuts: what was not synced is lost or torn
  kError,  // a write or sync fails, then the power
  kFull,   // the disk is full, trims free it, then the power
};

struct CrashTally {
  int64_t crashes = 0;
  int64_t errors = 0;        // batches that were answered with an error
  int64_t acknowledged = 0;  // batches
  int64_t lost = 0;          // acknowledged, and not in the file
  int64_t refused_trims = 0;
  // What went wrong first; empty: nothing.
  std::string fault;
};

// Crashes a store in `folder`, which is empty before and after, as often as a
// life has it, and checks it after each. Adds to `*tally`.
void RunCrashTrial(CrashKind kind, uint64_t seed, const std::string& folder,
                   CrashTally* tally);

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_CRASH_TRIAL_H_
