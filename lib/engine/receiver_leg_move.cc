// What a ReceiverLeg does while its queue moves.
#include <utility>

#include "lib/base/mutant.h"
#include "lib/engine/generation_stamp.h"
#include "lib/engine/receiver_leg.h"

namespace tieline::inline v0 {

using driver::Inbound;

void ReceiverLeg::SetCredit(bool has_credit) {
  {
    MutexLock lock(&mu_);
    if (std::exchange(has_credit_, has_credit) == has_credit) return;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

void ReceiverLeg::SetGate(std::shared_ptr<DeliveryGate> gate, PlaceId place) {
  {
    MutexLock lock(&mu_);
    gate_ = std::move(gate);
    place_ = place;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

void ReceiverLeg::JudgeAgain() {
  {
    MutexLock lock(&mu_);
    if (held_.empty()) return;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

// The stamp is taken off: it says nothing beyond this queue.
std::vector<Inbound> ReceiverLeg::PassGate(std::span<Inbound> deliveries) {
  for (Inbound& inbound : deliveries) held_.push_back(std::move(inbound));
  std::vector<Inbound> passed;
  passed.reserve(held_.size());
  while (!held_.empty()) {
    Inbound& next = held_.front();
    const uint64_t stamp = GenerationOf(next.message);
    const Judgement judgement = gate_->Judge(stamp, place_);
    if (judgement == Judgement::kHold) break;
    if (judgement == Judgement::kDeliverLate) {
      next.late = true;
      gate_->OnLate(stamp, place_);
    }
    if (stamp != 0 && !Mutant(65)) {
      next.message.mutable_properties().Remove(kGenerationProperty);
    }
    passed.push_back(std::move(next));
    held_.pop_front();
  }
  // What was held is at the front.
  const size_t newly = std::min(held_.size(), deliveries.size());
  if (newly > 0) gate_->OnHeld(newly);
  return passed;
}

bool ReceiverLeg::IsIdle() const {
  MutexLock lock(&mu_);
  return lanes_.unsettled() == 0 && settling_.empty() && unconfirmed_ == 0;
}

void ReceiverLeg::LetWaitersGo() {
  lets_go_.fetch_add(1);
  MutexLock lock(&mu_);
  cv_.NotifyAll();
}

void ReceiverLeg::Leave() {
  dead_letters_.Close(absl::ZeroDuration()).IgnoreError();
  leaves_.store(true);
  link_.Refuse();
  link_.AskToClose();
  LetWaitersGo();
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

}  // namespace tieline::inline v0
