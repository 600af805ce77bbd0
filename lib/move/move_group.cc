#include "lib/move/move_group.h"

#include <vector>

#include "lib/base/status.h"

namespace tieline::inline v0 {

void MoveGroup::Fail(const std::string& queue, const absl::Status& why) {
  if (submitted_ || !failure_.ok()) return;
  failure_ =
      MakeStatus(absl::StatusCode::kCancelled,
                 "queue {}, which the same plan moves, stays where it is: {}",
                 queue, why.ok() ? "it was cancelled" : MessageOf(why));
  for (const auto& [name, handed_in] : std::exchange(handed_in_, {})) {
    handed_in.second(failure_);
  }
}

void MoveGroup::Commit(MoveStore* store, const std::string& queue,
                       SavedMove move, const MoveStore::Done& done) {
  if (!failure_.ok()) {
    done(failure_);
    return;
  }
  handed_in_.insert_or_assign(queue, std::pair(std::move(move), done));
  if (handed_in_.size() < queues_.size()) return;
  submitted_ = true;
  std::vector<std::pair<std::string, SavedMove>> moves;
  std::vector<MoveStore::Done> all;
  for (auto& [name, handed_in] : std::exchange(handed_in_, {})) {
    moves.emplace_back(name, std::move(handed_in.first));
    all.push_back(std::move(handed_in.second));
  }
  store->Commit(std::move(moves), [all](const absl::Status& status) {
    for (const MoveStore::Done& each : all) each(status);
  });
}

}  // namespace tieline::inline v0
