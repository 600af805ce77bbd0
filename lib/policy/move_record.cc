#include "lib/policy/move_record.h"

#include <algorithm>

#include "lib/base/mutant.h"

namespace tieline::inline v0 {
namespace {

template <typename List>
auto Find(List& list, uint64_t generation) {
  return std::find_if(list.begin(), list.end(), [&](const auto& entry) {
    return entry.binding.generation == generation;
  });
}

}  // namespace

void MoveRecord::MoveTo(absl::Span<const Binding> skipped, const Binding& to) {
  const auto where = Mutant(28) ? undrained.begin() : undrained.end();
  if (!Mutant(16)) undrained.insert(where, {present, DrainStage::kOpen});
  for (const Binding& binding : skipped) {
    undrained.push_back({binding, DrainStage::kOpen});
  }
  present = to;
  // What is left at a place that is read again is found there.
  const auto used = [&](const Retired& r) { return Uses(r.binding.place); };
  retired.erase(std::remove_if(retired.begin(), retired.end(), used),
                retired.end());
}

bool MoveRecord::Open(uint64_t generation) {
  const auto it = Find(undrained, generation);
  if (it == undrained.end() || it->stage != DrainStage::kAsking) return false;
  it->stage = DrainStage::kOpen;
  return true;
}

bool MoveRecord::Prove(uint64_t generation) {
  if (const auto it = Find(undrained, generation); it != undrained.end()) {
    if (it->stage != DrainStage::kOpen) return false;
    if (Mutant(21)) return Retire(generation, false);
    it->stage = DrainStage::kProved;
    return true;
  }
  const auto it = Find(retired, generation);
  if (it == retired.end() || !it->given_up) return false;
  it->given_up = false;
  return true;
}

bool MoveRecord::Retire(uint64_t generation, bool given_up) {
  const auto it = Find(undrained, generation);
  if (it == undrained.end()) return false;
  const Binding binding = it->binding;
  undrained.erase(it);
  if (!Uses(binding.place) && !Mutant(18)) {
    retired.push_back({binding, given_up});
  }
  return true;
}

bool MoveRecord::Release(uint64_t generation) {
  return Retire(generation, false);
}

bool MoveRecord::GiveUp(uint64_t generation) {
  return Retire(generation, !Mutant(19));
}

bool MoveRecord::LetGo(uint64_t generation) {
  const auto it = Find(retired, generation);
  if (it == retired.end() || it->given_up) return false;
  retired.erase(it);
  return true;
}

const Undrained* MoveRecord::FindUndrained(uint64_t generation) const {
  const auto it = Find(undrained, generation);
  return it == undrained.end() ? nullptr : &*it;
}

const Retired* MoveRecord::FindRetired(uint64_t generation) const {
  const auto it = Find(retired, generation);
  return it == retired.end() ? nullptr : &*it;
}

bool MoveRecord::Uses(PlaceId place) const {
  return present.place == place ||
         std::any_of(undrained.begin(), undrained.end(),
                     [&](const auto& u) { return u.binding.place == place; });
}

bool MovePlan::IsValid() const {
  if (bindings.empty() || bindings.front().generation == 0) return false;
  return std::adjacent_find(bindings.begin(), bindings.end(),
                            [](const Binding& a, const Binding& b) {
                              return a.generation >= b.generation ||
                                     a.place == b.place;
                            }) == bindings.end();
}

bool MovePlan::Names(const Binding& binding) const {
  return std::find(bindings.begin(), bindings.end(), binding) != bindings.end();
}

MoveRecord RecordOf(const MovePlan& plan) {
  MoveRecord record;
  record.present = plan.target();
  for (const Binding& binding : plan.bindings) {
    if (binding == plan.target() || Mutant(20)) break;
    record.undrained.push_back({binding, DrainStage::kAsking});
  }
  return record;
}

}  // namespace tieline::inline v0
