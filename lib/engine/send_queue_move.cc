// What a SendQueue does when its sender goes to another broker.
//
// An ordered key goes there when nothing of it is without an outcome at the
// last one: so the window that holds one message a key is used, in the order of
// first submission, and what is away owns its key or waits behind its like.
#include <algorithm>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/engine/send_queue.h"

namespace tieline::inline v0 {
namespace {

constexpr uint8_t kAtDriver = SendBatchState::kAtDriver;
constexpr uint8_t kKeyed = SendBatchState::kKeyed;
constexpr uint8_t kBehind = SendBatchState::kBehind;

}  // namespace

std::vector<SendResult*> SendQueue::Begun() const {
  std::vector<SendResult*> begun;
  for (SendBatchState* b = newest_; b != nullptr; b = b->older) {
    for (size_t i = 0; i < b->next; ++i) {
      SendResult* r = &b->results[i];
      constexpr uint8_t kOut =
          SendBatchState::kResolved | SendBatchState::kAside;
      if ((r->flags_ & kOut) == 0) begun.push_back(r);
    }
  }
  if (!Mutant(51)) std::sort(begun.begin(), begun.end(), Before);
  return begun;
}

void SendQueue::GoTo(Endpoint* endpoint, const std::string* name) {
  // What is away is told by what it is, not by where: one driver at a time.
  LoseAway();
  endpoint_ = endpoint;
  name_ = name;
  blocked_ = false;
  left_pipelines_ = std::exchange(pipelines_, false);
  resend_at_ = absl::InfinitePast();
  backoff_.Reset();
  for (SendResult* r : Begun()) {
    if ((r->flags_ & kAtDriver) != 0) away_.emplace(r, false);
  }
  for (SendResult* r : expired_) away_.emplace(r, true);
  expired_.clear();
  in_flight_ = 0;
  TakeKeys();
}

// Everything begun, in its order: first what owns its key, the rest behind it.
void SendQueue::TakeKeys() {
  DropReadyResolved();
  DropResolvedResends();
  // What waited for its key is begun and not resolved, or dropped here.
  window_.Clear([this](SendResult* r) {
    if (SendBatchState::IsResolved(*r)) Drop(*r);
  });
  for (size_t i = 0; i < ready_.size(); ++i) {
    if (SendBatchState::IsResolved(*ready_[i])) Drop(*ready_[i]);
  }
  ready_.clear();
  resends_.clear();
  keyed_ = ordered_ && !Mutant(52);
  for (SendResult* r : Begun()) {
    const bool is_away = (r->flags_ & kAtDriver) != 0;
    r->flags_ &= static_cast<uint8_t>(~(kKeyed | kBehind));
    if (keyed_ && r->message.has(Field::kKey)) {
      r->flags_ |= kKeyed;
      if (!window_.Admit(KeyHash(*r), r)) {
        if (is_away) {
          r->flags_ |= kBehind;
          ++r->batch_->held;
        }
        continue;
      }
    }
    if (!is_away) ready_.push_back(r);
  }
}

void SendQueue::FreeKeys() {
  std::vector<SendResult*> waiting;
  window_.Clear([&](SendResult* r) {
    if (SendBatchState::IsResolved(*r)) {
      Drop(*r);
    } else {
      waiting.push_back(r);
    }
  });
  keyed_ = false;
  for (SendResult* r : Begun()) r->flags_ &= static_cast<uint8_t>(~kKeyed);
  std::sort(waiting.begin(), waiting.end(), Before);
  for (SendResult* r : waiting) ready_.push_back(r);
}

// One that is behind its like is also pointed to by the window: its turn comes
// when that one has its outcome.
void SendQueue::OnAwayOutcome(const driver::Outcome& outcome,
                              bool was_resolved) {
  using driver::Fate;
  auto& r = *reinterpret_cast<SendResult*>(outcome.cookie);
  const bool resolved = SendBatchState::IsResolved(r);
  NoteAnswer(r, outcome);
  const bool behind = (r.flags_ & kBehind) != 0;
  if (resolved) {
    // Who was resolved before the driver was left owns no key.
    if (!was_resolved && !behind) LeaveKey(r);
    Finish(r, outcome);
    return;
  }
  r.flags_ &= static_cast<uint8_t>(~(kAtDriver | kBehind));
  if (outcome.fate == Fate::kUnknown) {
    r.flags_ |= SendBatchState::kMaybeTaken;
  }
  // Where the driver had later messages of the key, they may have been taken.
  const bool is_final = outcome.fate == Fate::kAccepted ||
                        (outcome.fate == Fate::kUnknown && Mutant(54)) ||
                        (outcome.fate == Fate::kRejected &&
                         (left_pipelines_ || !WillRetryRejected(r, outcome)));
  if (is_final) {
    if (!behind && !Mutant(53)) LeaveKey(r);
    Finish(r, outcome);
    return;
  }
  ++resent_from_away_;
  r.status = outcome.why;
  if (behind) {
    --r.batch_->held;
  } else {
    resends_.push_back(&r);
  }
}

void SendQueue::LoseAway() {
  if (away_.empty() || Mutant(55)) return;
  std::vector<SendResult*> lost;
  for (const auto& [r, was_resolved] : away_) lost.push_back(r);
  std::sort(lost.begin(), lost.end(), Before);
  for (SendResult* r : lost) {
    driver::Outcome outcome;
    outcome.cookie = reinterpret_cast<uint64_t>(r);
    outcome.fate = driver::Fate::kUnknown;
    outcome.why = absl::UnavailableError(
        "the broker that was left has not "
        "answered");
    OnOutcome(outcome);
  }
}

}  // namespace tieline::inline v0
