#include "tests/sim/run.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/claims_run.h"
#include "tests/sim/world.h"

namespace tieline::sim {
namespace {

std::string Report(const World& world, bool verbose) {
  std::string out;
  std::set<int> messages;
  for (const Violation& v : world.ledger().violations()) {
    absl::StrAppend(&out, "invariant ", v.invariant);
    if (v.message >= 0) absl::StrAppend(&out, ", message ", v.message);
    absl::StrAppend(&out, ": ", v.text, "\n");
    messages.insert(v.message);
    if (v.other >= 0) messages.insert(v.other);
  }
  if (verbose) messages.clear();
  absl::StrAppend(&out, world.ledger().trace().Format(world.start(), messages));
  return out;
}

}  // namespace

RunResult RunSeed(uint64_t seed, bool verbose) {
  World world(DrawScenario(seed));
  world.Run();
  if (const std::string wrong = RunClaims(seed); !wrong.empty()) {
    world.Violate(2, wrong);
  }
  RunResult result;
  result.seed = seed;
  result.ok = !world.ledger().failed();
  if (!result.ok) {
    result.invariant = world.ledger().violations().front().invariant;
  }
  result.digest = world.ledger().trace().Digest();
  result.messages = static_cast<int>(world.ledger().lives().size());
  result.faults = static_cast<int>(world.scenario().faults.size());
  result.moves = static_cast<int>(world.scenario().moves.size());
  result.rounds = world.rounds();
  result.virtual_seconds = absl::ToDoubleSeconds(world.virtual_time());
  if (!result.ok || verbose) result.report = Report(world, verbose);
  return result;
}

}  // namespace tieline::sim
