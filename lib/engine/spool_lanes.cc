#include "lib/engine/spool_lanes.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0 {

// No name of a queue has a space in it.
std::string SpoolLanes::LaneName(std::string_view queue, int number) {
  return fmt::format("{} spool {}", queue, number);
}

std::string SpoolLanes::RejectedName(std::string_view queue) {
  return fmt::format("{} rejected", queue);
}

bool SpoolLanes::IsLaneOf(std::string_view name, std::string_view queue) {
  return name.rfind(fmt::format("{} spool ", queue), 0) == 0;
}

SpoolLanes::Claim::~Claim() {
  std::vector<std::function<void()>> wakes;
  {
    MutexLock lock(&lanes_->mu_);
    lanes_->claims_.erase(this);
    for (const std::string& name : names_) lanes_->taken_.erase(name);
    for (Claim* other : lanes_->claims_) {
      if (other->queue_ != queue_) continue;
      other->woken_.store(true);
      if (other->wake_) wakes.push_back(other->wake_);
    }
  }
  for (const auto& wake : wakes) wake();
}

void SpoolLanes::Claim::SetWake(std::function<void()> wake) {
  MutexLock lock(&lanes_->mu_);
  wake_ = std::move(wake);
}

std::vector<QueueId> SpoolLanes::Claim::TakeLeft() {
  std::vector<QueueId> left;
  for (auto& [id, name] : store()->Queues()) {
    if (!IsLaneOf(name, queue_)) continue;
    const auto range = store()->RangeOf(id);
    if (!range.ok() || range->last == range->trimmed) continue;
    MutexLock lock(&lanes_->mu_);
    if (!lanes_->taken_.insert(name).second) continue;
    names_.push_back(name);
    left.push_back(id);
  }
  return left;
}

absl::StatusOr<std::unique_ptr<SpoolLanes::Claim>> SpoolLanes::Take(
    const std::string& queue, bool spools) {
  std::unique_ptr<Claim> claim(new Claim(shared_from_this(), queue));
  std::string own;
  {
    MutexLock lock(&mu_);
    for (int number = 1; own.empty(); ++number) {
      const std::string name = LaneName(queue, number);
      if (taken_.insert(name).second) own = name;
    }
    claim->names_.push_back(own);
    claims_.insert(claim.get());
  }
  if (!spools && !HasMessages(queue)) return nullptr;
  TIELINE_ASSIGN_OR_RETURN(claim->own_, store_->AddQueue(own));
  TIELINE_ASSIGN_OR_RETURN(claim->rejected_,
                           store_->AddQueue(RejectedName(queue)));
  return claim;
}

bool SpoolLanes::HasMessages(const std::string& queue) const {
  for (const auto& [id, name] : store_->Queues()) {
    if (!IsLaneOf(name, queue)) continue;
    const auto range = store_->RangeOf(id);
    if (range.ok() && range->last > range->trimmed) return true;
  }
  return false;
}

}  // namespace tieline::inline v0
