#include "lib/engine/bus_target.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/engine/bus_core.h"

namespace tieline::inline v0 {

Config BusTarget::config() const { return bus_->config(); }

std::vector<MoveReport> BusTarget::moves() const { return bus_->moves(); }

absl::StatusOr<ChangePlan> BusTarget::Plan(const Config& config) const {
  return bus_->Plan(config);
}

absl::Status BusTarget::Apply(const ChangePlan& plan) {
  TIELINE_ASSIGN_OR_RETURN(std::shared_ptr<Moving> moving, bus_->Apply(plan));
  MutexLock lock(&mu_);
  for (const PlannedMove& move : plan.moves) moving_[move.queue] = moving;
  return absl::OkStatus();
}

absl::Status BusTarget::Proceed(std::string_view queue) {
  TIELINE_ASSIGN_OR_RETURN(const std::shared_ptr<Moving> moving, Find(queue));
  moving->Proceed();
  return absl::OkStatus();
}

absl::Status BusTarget::Cancel(std::string_view queue) {
  TIELINE_ASSIGN_OR_RETURN(const std::shared_ptr<Moving> moving, Find(queue));
  return moving->Cancel();
}

absl::StatusOr<std::shared_ptr<Moving>> BusTarget::Find(
    std::string_view queue) {
  for (const MoveReport& report : bus_->moves()) {
    if (report.queue != queue || report.over) continue;
    {
      MutexLock lock(&mu_);
      const auto it = moving_.find(queue);
      if (it != moving_.end()) return it->second;
    }
    // Begun before, perhaps by an earlier process: the same plan again is the
    // same move.
    ChangePlan plan;
    plan.config = bus_->config();
    PlannedMove move;
    move.queue = report.queue;
    move.from = report.from;
    move.to = report.to;
    move.to_generation = report.generation;
    plan.moves.push_back(std::move(move));
    TIELINE_RETURN_IF_ERROR(Apply(plan));
    MutexLock lock(&mu_);
    return moving_[std::string(queue)];
  }
  return MakeStatus(absl::StatusCode::kNotFound,
                    "queue \"{}\" is in no move; there is nothing to go on "
                    "with, or to cancel",
                    queue);
}

absl::StatusOr<std::vector<JournalRecord>> BusTarget::ReadJournal(
    uint64_t from, int64_t limit) const {
  return bus_->ReadJournal(from, limit);
}

absl::StatusOr<MemberStanding> BusTarget::StandingOf(
    const std::string& queue, uint64_t generation) const {
  MemberStanding said;
  TIELINE_ASSIGN_OR_RETURN(const Standing standing,
                           bus_->StandingOf(queue, generation));
  said.standing = StandingName(standing);
  said.run = bus_->run();
  return said;
}

}  // namespace tieline::inline v0
