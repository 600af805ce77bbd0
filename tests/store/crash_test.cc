// What is left of a store after power cuts, failing disks and full ones.
#include <string>

#include "fmt/format.h"
#include "tests/store/crash_trial.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

CrashTally Crash(CrashKind kind, uint64_t lives) {
  const TempFolder folder;
  CrashTally tally;
  for (uint64_t seed = 1; seed <= lives; ++seed) {
    RunCrashTrial(kind, seed, folder.path(), &tally);
    INFO("seed " << seed << ": " << tally.fault);
    REQUIRE(tally.fault.empty());
  }
  return tally;
}

TEST_CASE("after a power cut all that was acknowledged is there, in order") {
  const CrashTally tally = Crash(CrashKind::kPower, 30);
  CHECK(tally.crashes == 120);
  CHECK(tally.acknowledged > 500);
}

TEST_CASE("what a failing disk did not take is answered so, and is not there") {
  const CrashTally tally = Crash(CrashKind::kError, 30);
  CHECK(tally.acknowledged > 500);
  CHECK(tally.errors > 10);
}

TEST_CASE("a full disk takes nothing new, and can be trimmed") {
  const CrashTally tally = Crash(CrashKind::kFull, 30);
  CHECK(tally.acknowledged > 500);
  CHECK(tally.errors > 10);
  CHECK(tally.refused_trims == 0);
}

}  // namespace
}  // namespace tieline::testing
