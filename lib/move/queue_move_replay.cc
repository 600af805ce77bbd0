// What a QueueMove does where senders retain what brokers accepted: it has them
// send that again when the former broker is dead.
#include <algorithm>

#include "lib/move/queue_move.h"

namespace tieline::inline v0 {

void QueueMove::Unfence(SenderEntry& entry, const MoveWants& wants) {
  const std::shared_ptr<SenderCore> core = entry.core.lock();
  entry.fenced = false;
  bool is_dead = entry.cut;
  for (const auto& [place, leg] : entry.legs) {
    const bool was_left =
        core != nullptr && !core->IsAt(*leg) &&
        std::count(wants.senders.begin(), wants.senders.end(), place) > 0;
    if (was_left && !leg->link().is_open()) is_dead = true;
  }
  if (!is_dead || core == nullptr) return;
  entry.replayed = entry.generation - 1;
  core->Replay(entry.replayed, /*in_order=*/true);
}

void QueueMove::ReplayLate(uint64_t generation) {
  for (SenderEntry& entry : senders_) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    if (core == nullptr || !core->retains()) continue;
    if (entry.replayed >= generation) continue;
    entry.replayed = generation;
    core->Replay(generation, /*in_order=*/false);
  }
}

bool QueueMove::IsReplayed(uint64_t generation) const {
  return std::any_of(senders_.begin(), senders_.end(),
                     [generation](const SenderEntry& entry) {
                       return entry.replayed >= generation;
                     });
}

}  // namespace tieline::inline v0
