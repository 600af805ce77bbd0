#include "tests/sim/steps.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tieline::sim {
namespace {

constexpr std::string_view kPrefix = "move: ";
constexpr std::string_view kQueue = "q";

// What stands after `name` in a flat JSON object, up to the end of a value.
std::string_view FieldOf(std::string_view json, std::string_view name) {
  const std::string quoted = absl::StrCat("\"", std::string(name), "\":");
  const size_t at = json.find(quoted);
  if (at == std::string_view::npos) return {};
  std::string_view rest = json.substr(at + quoted.size());
  if (rest.starts_with('"')) rest.remove_prefix(1);
  return rest.substr(0, rest.find_first_of("\",}"));
}

}  // namespace

void MoveSteps::OnStart(int process, uint64_t generation) {
  Known& known = known_[process];
  // Without a record it is about to make one, and says so.
  if (known.generation == 0) return;
  if (generation < known.generation) {
    ledger_->Violate(
        7, -1, absl::StrCat("a restart brings back generation ", generation));
  }
  if (generation > known.generation) ledger_->OnMoved(process, generation);
  known.generation = generation;
}

bool MoveSteps::WasProved(uint64_t generation) const {
  return std::any_of(known_.begin(), known_.end(), [&](const auto& known) {
    return known.second.proved.contains(generation);
  });
}

void MoveSteps::OnLog(int process, std::string_view line) {
  if (!line.starts_with(kPrefix)) return;
  line.remove_prefix(kPrefix.size());
  // The others stay where they are.
  if (FieldOf(line, "queue") != kQueue) return;
  const std::string_view step = FieldOf(line, "step");
  if (step == "member does not answer") return;
  const std::string_view number = FieldOf(line, "generation");
  uint64_t generation = 0;
  if (!absl::SimpleAtoi(absl::string_view(number.data(), number.size()),
                        &generation)) {
    ledger_->Violate(0, -1, "a step of a move without its generation");
    return;
  }
  Known& known = known_[process];
  const std::string of = absl::StrCat(", generation ", generation);
  if (step == "moved") {
    if (generation <= known.generation) {
      ledger_->Violate(7, -1, absl::StrCat("a generation fell", of));
    }
    known.generation = generation;
    ledger_->OnMoved(process, generation);
  } else if (step == "preparation failed" && known.forgot) {
    ledger_->OnBehind(process);
  } else if (step == "proved empty") {
    known.proved.insert(generation);
  } else if (step == "drained") {
    if (!WasProved(generation) && !known.untold) {
      ledger_->Violate(5, -1, absl::StrCat("drained without a proof", of));
    }
    known.untold = false;
    known.proved.insert(generation);  // as far as others ask
    ledger_->OnDrained(generation);
  } else if (step == "given up") {
    if (!silent_.contains(FieldOf(line, "broker"))) {
      ledger_->Violate(5, -1, absl::StrCat("given up without a word", of));
    }
    ledger_->OnDrained(generation);
  }
}

}  // namespace tieline::sim
