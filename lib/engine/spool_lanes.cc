#include "lib/engine/spool_lanes.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0 {

// No name of a queue has a space in it.
namespace {

std::string LanePrefix(std::string_view queue) {
  return fmt::format("{} spool ", queue);
}

std::string RetainedPrefix(std::string_view queue) {
  return fmt::format("{} retained ", queue);
}

std::string ReplaysPrefix(std::string_view queue) {
  return fmt::format("{} replays ", queue);
}

bool HasPrefix(std::string_view name, std::string_view prefix) {
  return name.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::string SpoolLanes::LaneName(std::string_view queue, int number) {
  return fmt::format("{}{}", LanePrefix(queue), number);
}

std::string SpoolLanes::RejectedName(std::string_view queue) {
  return fmt::format("{} rejected", queue);
}

bool SpoolLanes::IsLaneOf(std::string_view name, std::string_view queue) {
  return HasPrefix(name, LanePrefix(queue));
}

SpoolLanes::Claim::~Claim() {
  {
    MutexLock lock(&lanes_->mu_);
    lanes_->claims_.erase(this);
    for (const std::string& name : names_) lanes_->taken_.erase(name);
  }
  if (ahead_) senders_ahead_->fetch_sub(1);
  WakeOthers(/*to_take_left=*/true);
}

void SpoolLanes::Claim::SetAhead(bool ahead) {
  if (std::exchange(ahead_, ahead) == ahead) return;
  senders_ahead_->fetch_add(ahead ? 1 : -1);
  if (!ahead) WakeOthers(/*to_take_left=*/false);
}

void SpoolLanes::Claim::WakeOthers(bool to_take_left) {
  std::vector<std::function<void()>> wakes;
  {
    MutexLock lock(&lanes_->mu_);
    for (Claim* other : lanes_->claims_) {
      if (other->queue_ != queue_ || other == this) continue;
      if (to_take_left) other->woken_.store(true);
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
  return TakeLeft(LanePrefix(queue_));
}

std::vector<QueueId> SpoolLanes::Claim::TakeLeftRetained() {
  return TakeLeft(RetainedPrefix(queue_));
}

std::vector<QueueId> SpoolLanes::Claim::TakeLeftReplays() {
  return TakeLeft(ReplaysPrefix(queue_));
}

std::vector<QueueId> SpoolLanes::Claim::TakeLeft(const std::string& prefix) {
  std::vector<QueueId> left;
  for (auto& [id, name] : store()->Queues()) {
    if (!HasPrefix(name, prefix)) continue;
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
    const std::string& queue, const Uses& uses) {
  if (!uses.retains) DropRetained(queue);
  const bool wants =
      uses.spools || uses.retains || (uses.sends_left && HasMessages(queue));
  if (!wants) return nullptr;
  std::shared_ptr<std::atomic<int>> ahead;
  {
    MutexLock lock(&mu_);
    ahead =
        senders_ahead_.try_emplace(queue, std::make_shared<std::atomic<int>>(0))
            .first->second;
  }
  std::unique_ptr<Claim> claim(
      new Claim(shared_from_this(), queue, std::move(ahead)));
  std::string own;
  std::string retained;
  std::string replays;
  {
    MutexLock lock(&mu_);
    claims_.insert(claim.get());
    own = TakeName(LanePrefix(queue), claim.get());
    if (uses.retains) {
      retained = TakeName(RetainedPrefix(queue), claim.get());
      replays = TakeName(ReplaysPrefix(queue), claim.get());
    }
  }
  TIELINE_ASSIGN_OR_RETURN(claim->own_, store_->AddQueue(own));
  TIELINE_ASSIGN_OR_RETURN(claim->rejected_,
                           store_->AddQueue(RejectedName(queue)));
  if (uses.retains) {
    TIELINE_ASSIGN_OR_RETURN(claim->retained_, store_->AddQueue(retained));
    TIELINE_ASSIGN_OR_RETURN(claim->replays_, store_->AddQueue(replays));
  }
  return claim;
}

std::string SpoolLanes::TakeName(const std::string& prefix, Claim* claim) {
  for (int number = 1;; ++number) {
    std::string name = fmt::format("{}{}", prefix, number);
    if (!taken_.insert(name).second) continue;
    claim->names_.push_back(name);
    return name;
  }
}

void SpoolLanes::DropRetained(const std::string& queue) const {
  StoreBatch batch;
  for (const auto& [id, name] : store_->Queues()) {
    const bool is_one = HasPrefix(name, RetainedPrefix(queue)) ||
                        HasPrefix(name, ReplaysPrefix(queue));
    if (!is_one) continue;
    const auto range = store_->RangeOf(id);
    if (range.ok() && range->last > range->trimmed) {
      batch.Trim(id, range->last);
    }
  }
  if (batch.empty()) return;
  store_->Submit(std::move(batch), [](const auto&) {}).IgnoreError();
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
