// What a SenderCore does when its queue goes to another broker.
#include <algorithm>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/engine/sender_core.h"

namespace tieline::inline v0 {

// ---- Any thread.

void SenderCore::SetMover(std::shared_ptr<Runnable> mover) {
  MutexLock lock(&mu_);
  mover_ = std::move(mover);
}

void SenderCore::CallMover() {
  std::shared_ptr<Runnable> mover;
  Runner* runner = nullptr;
  {
    MutexLock lock(&mu_);
    mover = mover_;
    runner = home_->endpoint().runner();
  }
  if (mover != nullptr) runner->Schedule(mover.get());
}

void SenderCore::WakeHome() const {
  const std::shared_ptr<SenderLeg> leg = home();
  leg->endpoint().MarkDirty(leg.get());
  leg->endpoint().Schedule();
}

std::shared_ptr<SenderLeg> SenderCore::AddLeg(
    std::shared_ptr<Endpoint> endpoint, QueueConfig queue) {
  auto leg = std::make_shared<SenderLeg>(this, std::move(endpoint),
                                         std::move(queue), options_);
  {
    MutexLock lock(&mu_);
    if (home_->link().closed()) return nullptr;
    legs_.push_back(leg);
  }
  leg->endpoint().Attach(WithCore(leg));
  return leg;
}

void SenderCore::Hold(bool hold) {
  if (hold_.exchange(hold, std::memory_order_acq_rel) == hold) return;
  stirred_.store(true, std::memory_order_release);
  WakeHome();
}

void SenderCore::GoTo(std::shared_ptr<SenderLeg> leg, uint64_t generation) {
  {
    MutexLock lock(&mu_);
    if (legs_.empty()) return;  // closed
    next_ = std::move(leg);
    next_generation_ = generation;
  }
  stirred_.store(true, std::memory_order_release);
  WakeHome();
}

bool SenderCore::ended() const {
  MutexLock lock(&mu_);
  return legs_.empty();
}

void SenderCore::CutAway() {
  std::shared_ptr<SenderLeg> left;
  {
    MutexLock lock(&mu_);
    left = left_;
  }
  if (left == nullptr) return;
  left->endpoint().Reset(MakeStatus(
      absl::StatusCode::kUnavailable,
      "{}: cut: it has not answered what was sent before the queue moved",
      left->link().name()));
}

void SenderCore::Replay(uint64_t until, bool in_order) {
  {
    MutexLock lock(&mu_);
    replay_ = {until, in_order};
  }
  stirred_.store(true, std::memory_order_release);
  WakeHome();
}

uint64_t SenderCore::TakeReplayed() {
  return spool_ != nullptr ? spool_->TakeReplayed() : 0;
}

SenderCore::MoveCounts SenderCore::TakeMoveCounts() {
  MutexLock lock(&mu_);
  return std::exchange(move_counts_, {});
}

// ---- In the home's strand.

// True when the home is another from here on.
bool SenderCore::Stir(SenderLeg& leg, absl::Time now) {
  stirred_.exchange(false, std::memory_order_acq_rel);
  if (GoOn(leg)) return true;
  TakeAway();
  TakeReplay();
  NoteHold(now);
  return false;
}

bool SenderCore::GoOn(SenderLeg& leg) {
  std::shared_ptr<SenderLeg> next;
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    next = std::move(next_);
    generation = next_generation_;
  }
  if (next == nullptr) return false;
  if (!Mutant(56)) in_hand_.SetGeneration(generation);
  if (next.get() == &leg) return false;
  TakeAway();
  TakeIncoming();
  EndTurn();
  in_hand_.GoTo(&next->endpoint(), &next->link().name());
  EndTurn();
  const uint64_t away = in_hand_.away();
  away_.store(away, std::memory_order_release);
  {
    MutexLock lock(&mu_);
    if (legs_.empty()) return false;  // closed meanwhile: it ends here
    move_counts_.in_flight += away;
    left_ = away > 0 && !Mutant(57) ? home_ : nullptr;
    if (home_->link().closed()) next->link().Refuse();
    home_ = next;
    at_home_.store(next.get(), std::memory_order_release);
  }
  // What is in hand is the next strand's.
  stirred_.store(true, std::memory_order_release);
  next->endpoint().MarkDirty(next.get());
  next->endpoint().Schedule();
  CallMover();
  return true;
}

void SenderCore::TakeAway() {
  std::vector<driver::Outcome> outcomes;
  bool over = false;
  {
    MutexLock lock(&mu_);
    outcomes.swap(from_away_);
    over = std::exchange(away_over_, false);
  }
  if (outcomes.empty() && !over) return;
  const uint64_t resent = in_hand_.resent_from_away();
  in_hand_.OnOutcomes(outcomes);
  if (over) in_hand_.LoseAway();
  const uint64_t away = in_hand_.away();
  away_.store(away, std::memory_order_release);
  {
    MutexLock lock(&mu_);
    move_counts_.in_doubt += in_hand_.resent_from_away() - resent;
    if (away == 0) left_.reset();
  }
  if (away == 0) CallMover();
}

void SenderCore::TakeReplay() {
  std::optional<std::pair<uint64_t, bool>> replay;
  {
    MutexLock lock(&mu_);
    replay = std::exchange(replay_, std::nullopt);
  }
  if (replay && spool_ != nullptr) {
    spool_->Replay(replay->first, replay->second);
  }
}

void SenderCore::NoteHold(absl::Time now) {
  const bool hold = hold_.load(std::memory_order_acquire);
  if (hold == held()) return;
  if (hold) {
    held_since_ = now;
  } else {
    MutexLock lock(&mu_);
    move_counts_.longest_pause =
        std::max(move_counts_.longest_pause, now - held_since_);
  }
  is_held_.store(hold, std::memory_order_release);
  CallMover();
}

// ---- In the strand of a leg that is not the home.

void SenderCore::OnLeftLegOutcomes(SenderLeg& leg,
                                   std::span<const driver::Outcome> outcomes) {
  {
    MutexLock lock(&mu_);
    // Nobody waits for them where the home is down, or the leg was cut.
    if (left_.get() != &leg || home_is_down_ || Mutant(58)) return;
    from_away_.insert(from_away_.end(), outcomes.begin(), outcomes.end());
    stirred_.store(true, std::memory_order_release);
  }
  WakeHome();
}

void SenderCore::OnLeftLegDown(SenderLeg& leg) {
  bool ends = false;
  {
    MutexLock lock(&mu_);
    if (left_.get() == &leg) {
      left_.reset();
      ends = home_is_down_;
      if (!ends) {
        away_over_ = !Mutant(59);
        stirred_.store(true, std::memory_order_release);
      }
    }
  }
  if (ends) {
    ReleaseAll();
  } else {
    WakeHome();
  }
  CallMover();
}

void SenderCore::OnLegLeft(SenderLeg& leg) {
  std::shared_ptr<SenderLeg> gone;
  {
    MutexLock lock(&mu_);
    const auto it =
        std::find_if(legs_.begin(), legs_.end(),
                     [&](const auto& each) { return each.get() == &leg; });
    if (it == legs_.end()) return;  // Close detaches it
    gone = std::move(*it);
    legs_.erase(it);
  }
  leg.endpoint().Detach(WithCore(gone));
  CallMover();
}

}  // namespace tieline::inline v0
