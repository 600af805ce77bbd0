#include "tests/sim/run.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

using sim::RunResult;
using sim::RunSeed;

TEST_CASE("the same seed gives the same trace twice, whatever ran between") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const RunResult first = RunSeed(seed, false);
    RunSeed(seed + 100, false);
    const RunResult second = RunSeed(seed, false);
    CHECK(first.digest == second.digest);
    CHECK(first.messages >= 200);
    CHECK(first.faults >= 5);
  }
}

TEST_CASE("a short number of seeds: 0 violations") {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const RunResult result = RunSeed(seed, false);
    INFO("replay: sim --replay " << seed << " --brief");
    INFO(result.report);
    REQUIRE(result.ok);
  }
}

}  // namespace
}  // namespace tieline
