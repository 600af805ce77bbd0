#include "lib/engine/send_queue.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "lib/base/fetch.h"
#include "lib/base/mutant.h"
#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/engine/generation_stamp.h"
#include "lib/engine/link.h"

namespace tieline::inline v0 {

using driver::Fate;
using driver::Outcome;

namespace {

// Where one of these says so, a message may be sent though it has no outcome.
constexpr uint8_t kInDoubt = SendBatchState::kAtDriver |
                             SendBatchState::kMaybeTaken |
                             SendBatchState::kSpooling;

}  // namespace

void SendQueue::Turn::Clear() {
  accepted = rejected = failed = spooled = resent = bytes = answered = 0;
  groups.clear();
  late.clear();
}

SendQueue::SendQueue(Endpoint* endpoint, const std::string* name,
                     uint32_t window, bool ordered)
    : endpoint_(endpoint),
      name_(name),
      window_size_(window),
      ordered_(ordered),
      backoff_(absl::Milliseconds(10), absl::Seconds(2), 0.5),
      budget_(endpoint->options().retry_budget.ratio,
              endpoint->options().retry_budget.reserve,
              endpoint->options().retry_budget.per_second) {}

uint64_t SendQueue::KeyHash(const SendResult& result) {
  return std::hash<std::string_view>()(result.message.key());
}

bool SendQueue::Before(const SendResult* a, const SendResult* b) {
  if (a->batch_ == b->batch_) return a < b;
  if (a->batch_->sequence != b->batch_->sequence) {
    return a->batch_->sequence < b->batch_->sequence;
  }
  return a->batch_->first_index < b->batch_->first_index;
}

// ---- What is held.

void SendQueue::Add(SendBatchState* batch) {
  Keep(batch);
  Enter(batch);
}

void SendQueue::Keep(SendBatchState* batch) {
  batch->older = newest_;
  if (newest_ != nullptr) newest_->newer = batch;
  newest_ = batch;
  deadlines_.Add(batch);
  if (!batch->from_spool) unresolved_ += batch->unresolved;
}

void SendQueue::LetGo(SendBatchState* batch) {
  if (batch->older != nullptr) batch->older->newer = batch->newer;
  if (batch->newer != nullptr) {
    batch->newer->older = batch->older;
  } else {
    newest_ = batch->older;
  }
  batch->Unref();
}

void SendQueue::Drop(SendResult& r) {
  SendBatchState* batch = r.batch_;
  if (--batch->held == 0) LetGo(batch);
}

std::vector<SendBatchState*> SendQueue::Held() const {
  std::vector<SendBatchState*> all;
  for (SendBatchState* b = newest_; b != nullptr; b = b->older) {
    b->Ref();
    all.push_back(b);
  }
  std::reverse(all.begin(), all.end());
  return all;
}

void SendQueue::ReleaseAll() {
  ready_.clear();
  resends_.clear();
  aside_.clear();
  batches_.clear();
  window_ = {};
  in_flight_ = 0;
  expired_.clear();
  away_.clear();
  while (newest_ != nullptr) LetGo(newest_);
}

// Once for each that was admitted, with the last pointer to it.
void SendQueue::LeaveKey(SendResult& r) {
  if ((r.flags_ & SendBatchState::kKeyed) == 0) return;
  const uint64_t key = KeyHash(r);
  SendResult* next = nullptr;
  while (window_.Release(key, &next)) {
    if (SendBatchState::IsResolved(*next)) {
      Drop(*next);
      continue;
    }
    if ((next->flags_ & SendBatchState::kBehind) == 0) {
      ready_.push_back(next);
      return;
    }
    // An earlier driver has it: only that one points to it from now on.
    next->flags_ &= static_cast<uint8_t>(~SendBatchState::kBehind);
    --next->batch_->held;
    return;
  }
}

// ---- Submitting.

void SendQueue::OnOpened(bool pipelines) {
  blocked_ = false;
  pipelines_ = pipelines;
  // What is in flight or waits was admitted by the rule of the first link.
  if (in_flight_ == 0 && window_.keys() == 0) {
    keyed_ = ordered_ && !pipelines && !Mutant(35);
  }
}

bool SendQueue::TakeResends(absl::Time now) {
  if (resends_.empty()) return true;
  // In order, with nothing newer overtaking: all of them, once none of theirs
  // is at the driver. Where each key has a window of one they go one by one.
  const bool all_wait = ordered_ && !keyed_;
  if (all_wait) {
    // What the driver had no room for comes behind them.
    while (!ready_.empty()) resends_.push_back(ready_.pop_front());
  }
  if (all_wait && in_flight_ > 0) return false;
  if (now < resend_at_) return !all_wait;
  std::sort(resends_.begin(), resends_.end(), Before);
  size_t taken = 0;
  for (SendResult* r : resends_) {
    if (r->attempts > 1 && !budget_.Take(now)) {
      resend_at_ = now + budget_.Wait();
      break;
    }
    ++taken;
    if (r->attempts > 0) ++turn_.resent;
  }
  for (size_t i = taken; i > 0; --i) ready_.push_front(resends_[i - 1]);
  resends_.erase(resends_.begin(),
                 resends_.begin() + static_cast<std::ptrdiff_t>(taken));
  return resends_.empty() || !all_wait;
}

void SendQueue::FillReady() {
  while (!batches_.empty() && ready_.size() + in_flight_ < window_size_) {
    SendBatchState* batch = batches_.front();
    if (batch->next == batch->results.size()) {
      batches_.pop_front();
      continue;
    }
    SendResult& r = batch->results[batch->next++];
    if (batch->next == batch->results.size()) batches_.pop_front();
    if (SendBatchState::IsResolved(r)) {
      Drop(r);
      continue;
    }
    if (keyed_ && r.message.has(Field::kKey)) {
      r.flags_ |= SendBatchState::kKeyed;
      if (!window_.Admit(KeyHash(r), &r)) continue;
    }
    ready_.push_back(&r);
  }
}

void SendQueue::DropReadyResolved() {
  while (!ready_.empty() && SendBatchState::IsResolved(*ready_.front())) {
    SendResult* r = ready_.pop_front();
    LeaveKey(*r);
    Drop(*r);
  }
}

void SendQueue::Submit(driver::SenderDriver* driver, absl::Time now) {
  if (blocked_ || !HasWork()) return;
  if (MayFreeKeys()) FreeKeys();
  const bool may_send_new = TakeResends(now);
  for (;;) {
    if (may_send_new) FillReady();
    DropReadyResolved();
    const size_t room =
        window_size_ > in_flight_ ? window_size_ - in_flight_ : 0;
    scratch_.clear();
    for (size_t i = 0; i < ready_.size() && scratch_.size() < room; ++i) {
      SendResult* r = ready_[i];
      if (SendBatchState::IsResolved(*r)) break;
      if (generation_ > 1 && !r->batch_->keeps_stamp && !Mutant(50)) {
        StampGeneration(r->message, generation_);
      }
      scratch_.push_back({reinterpret_cast<uint64_t>(r), &r->message});
    }
    if (scratch_.empty()) return;
    const size_t taken = driver->Submit(scratch_, false);
    size_t first = 0;
    for (size_t i = 0; i < taken; ++i) {
      SendResult* r = ready_[i];
      r->flags_ |= SendBatchState::kAtDriver;
      if (r->attempts++ == 0) ++first;
      if (r->batch_->observer != nullptr) {
        r->batch_->observer->OnSubmitted(*r->batch_, *r);
      }
    }
    ready_.pop_front(taken);
    in_flight_ += static_cast<uint32_t>(taken);
    budget_.OnFirstSends(first);
    if (taken < scratch_.size()) {
      blocked_ = true;
      return;
    }
  }
}

void SendQueue::PurgeResolved() {
  DropReadyResolved();
  while (!batches_.empty() && batches_.front()->unresolved == 0) {
    DropRest(batches_.pop_front());
  }
}

absl::Time SendQueue::Next(absl::Time now, bool open) const {
  absl::Time next = deadlines_.Next();
  if (!resends_.empty() && open && !blocked_ && resend_at_ > now) {
    next = std::min(next, resend_at_);
  }
  return next;
}

// ---- Outcomes.

void SendQueue::OnOutcomes(std::span<const Outcome> outcomes) {
  constexpr size_t kAhead = 4;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (i + kAhead < outcomes.size()) {
      Fetch(reinterpret_cast<const void*>(outcomes[i + kAhead].cookie), 2);
    }
    OnOutcome(outcomes[i]);
  }
}

void SendQueue::OnOutcome(const Outcome& outcome) {
  auto& r = *reinterpret_cast<SendResult*>(outcome.cookie);
  if (!away_.empty()) {
    if (const auto it = away_.find(&r); it != away_.end()) {
      const bool was_resolved = it->second;
      away_.erase(it);
      OnAwayOutcome(outcome, was_resolved);
      return;
    }
  }
  --in_flight_;
  // A resolved one is only read: whoever waited may be copying it.
  const bool resolved = SendBatchState::IsResolved(r);
  NoteAnswer(r, outcome);
  if (resolved) {
    expired_.erase(&r);
  } else {
    r.flags_ &= static_cast<uint8_t>(~SendBatchState::kAtDriver);
    if (outcome.fate == Fate::kUnknown) {
      r.flags_ |= SendBatchState::kMaybeTaken;
    }
  }
  const bool final_fate = outcome.fate == Fate::kAccepted ||
                          (outcome.fate == Fate::kRejected &&
                           (resolved || !WillRetryRejected(r, outcome)));
  if (outcome.fate == Fate::kAccepted) backoff_.Reset();
  if (!resolved && !final_fate) {
    Resend(r, outcome);
    return;
  }
  LeaveKey(r);
  Finish(r, outcome);
}

void SendQueue::NoteAnswer(const SendResult& r, const Outcome& outcome) {
  if (outcome.fate == Fate::kAccepted || outcome.fate == Fate::kRejected) {
    ++turn_.answered;
  }
  if (SendBatchState::IsResolved(r) && r.state == SendState::kSpooled) {
    turn_.late.emplace_back(&r, outcome.fate == Fate::kAccepted);
  }
}

// The driver no longer points to it, nor does anything else here.
void SendQueue::Finish(SendResult& r, const Outcome& outcome) {
  SendBatchState* batch = r.batch_;
  // Nothing points to the result from here on: whoever waits may move it out.
  const bool last = --batch->held == 0;
  if (!SendBatchState::IsResolved(r)) {
    r.position = outcome.position;
    Resolve(r,
            outcome.fate == Fate::kAccepted ? SendState::kAccepted
                                            : SendState::kRejected,
            outcome.why);
  }
  if (last) LetGo(batch);
}

// An observer may try again, unless later messages of the key went ahead.
bool SendQueue::WillRetryRejected(SendResult& r, const Outcome& outcome) const {
  SendBatchState* batch = r.batch_;
  if (batch->observer == nullptr || (ordered_ && !keyed_)) return false;
  return batch->observer->OnRejected(*batch, r, outcome.why);
}

void SendQueue::Resend(SendResult& r, const Outcome& outcome) {
  r.status = outcome.why;
  if (Mutant(37)) LeaveKey(r);
  resends_.push_back(&r);
  if (outcome.fate != Fate::kUnknown) {
    const absl::Time at =
        endpoint_->clock()->Steady() +
        std::max(outcome.wait, backoff_.Next(endpoint_->Random()));
    resend_at_ = std::max(resend_at_, at);
  }
}

// Gives `result` its final state. Queues that still point to it drop it when
// they come to it.
void SendQueue::Resolve(SendResult& r, SendState state, absl::Status status) {
  r.state = state;
  r.status = std::move(status);
  r.flags_ |= SendBatchState::kResolved;
  if (keeper_ != nullptr && state == SendState::kAccepted) keeper_->Keep(r);
  SendBatchState* batch = r.batch_;
  if (!batch->from_spool) CountResolved(*batch, state);
  if (batch->observer != nullptr) {
    if (!batch->from_spool) turn_observer_ = batch->observer;
    batch->observer->OnResolved(*batch, r);
  }
  if (--batch->unresolved == 0) FinishBatch(batch);
}

void SendQueue::CountResolved(const SendBatchState& batch, SendState state) {
  --unresolved_;
  switch (state) {
    case SendState::kAccepted:
      ++turn_.accepted;
      break;
    case SendState::kRejected:
      ++turn_.rejected;
      break;
    case SendState::kSpooled:
      ++turn_.spooled;
      break;
    default:
      ++turn_.failed;
      break;
  }
  const uint64_t group = batch.flush_group;
  if (turn_.groups.empty() || turn_.groups.back().number != group) {
    turn_.groups.push_back({group, 0});
  }
  ++turn_.groups.back().resolved;
}

void SendQueue::FinishBatch(SendBatchState* batch) {
  turn_.bytes += batch->bytes;
  deadlines_.Remove(batch);
  if (batch->observer != nullptr) {
    done_.push_back(batch);
    return;
  }
  // Whoever waits may be gone before Finish has returned.
  batch->Ref();
  finished_.push_back(batch);
}

// The waiting party's reference goes with the callback.
void SendQueue::CallBack(SendBatchState* batch) {
  std::shared_ptr<Runnable> endpoint = endpoint_->shared_from_this();
  std::function<void()> call = [batch, kept = std::move(endpoint),
                                endpoint = endpoint_] {
    try {
      batch->callback(batch->results);
    } catch (const std::exception& e) {
      endpoint->Log(LogLevel::kError,
                    fmt::format("a send's callback threw: {}", e.what()));
    } catch (...) {
      endpoint->Log(LogLevel::kError, "a send's callback threw");
    }
    batch->Unref();
  };
  if (Executor* executor = endpoint_->options().executor) {
    executor->Post(std::move(call));
  } else {
    endpoint_->runner()->Post(std::move(call));
  }
}

void SendQueue::EndTurn() {
  for (SendBatchState* batch : finished_) {
    if (batch->callback) {
      CallBack(batch);
    } else {
      batch->Finish();
    }
    batch->Unref();
  }
  finished_.clear();
  if (turn_observer_ != nullptr) {
    std::exchange(turn_observer_, nullptr)->OnTurnEnd();
  }
  for (size_t i = 0; i < done_.size(); ++i) done_[i]->Unref();
  done_.clear();
}

// ---- Endings without an outcome.

// It gets its result while a driver has it.
void SendQueue::NoteExpired(SendResult& r) {
  // One at the driver that was left is known as away.
  const bool is_here = (r.flags_ & SendBatchState::kAtDriver) != 0 &&
                       away_.find(&r) == away_.end();
  if (is_here) expired_.insert(&r);
}

void SendQueue::ExpireOne(SendResult& r, const absl::Status& last) {
  const std::string because =
      last.ok() ? std::string()
                : fmt::format("; last error: {}", MessageOf(last));
  if ((r.flags_ & kInDoubt) != 0) {
    NoteExpired(r);
    const bool spools = (r.flags_ & SendBatchState::kSpooling) != 0;
    Resolve(
        r, SendState::kUnknown,
        MakeStatus(absl::StatusCode::kDeadlineExceeded,
                   "{}: {} did not answer in time: {} may have it{}", *name_,
                   spools ? "the disk of the state file" : "the broker",
                   spools ? "the spool" : "it", because));
    return;
  }
  if (r.attempts > 0) {
    const absl::Status why = std::exchange(r.status, absl::OkStatus());
    Resolve(r, SendState::kNotSent, Annotate(why, *name_));
    return;
  }
  const absl::StatusCode code =
      last.ok() ? absl::StatusCode::kResourceExhausted
      : IsPermanent(last) || absl::IsResourceExhausted(last)
          ? last.code()
          : absl::StatusCode::kUnavailable;
  Resolve(
      r, SendState::kNotSent,
      MakeStatus(code, "{}: not sent before its deadline{}", *name_, because));
}

void SendQueue::Expire(absl::Time now,
                       const std::function<absl::Status()>& last) {
  while (deadlines_.Next() <= now) {
    SendBatchState* batch = deadlines_.First();
    const absl::Status why = last();
    batch->Ref();
    for (SendResult& r : batch->results) {
      if (!SendBatchState::IsResolved(r)) ExpireOne(r, why);
    }
    DropResolvedResends();
    batch->Unref();
  }
}

// What waits to be sent again is pointed to by nothing else.
void SendQueue::DropResolvedResends() {
  for (SendResult*& r : resends_) {
    if (!SendBatchState::IsResolved(*r)) continue;
    LeaveKey(*r);
    Drop(*std::exchange(r, nullptr));
  }
  std::erase(resends_, nullptr);
}

void SendQueue::CancelAll() {
  for (SendBatchState* batch : Held()) {
    for (SendResult& r : batch->results) {
      if (SendBatchState::IsResolved(r)) continue;
      Resolve(r,
              (r.flags_ & kInDoubt) != 0 ? SendState::kUnknown
                                         : SendState::kNotSent,
              MakeStatus(absl::StatusCode::kCancelled,
                         "{}: the sender was closed", *name_));
    }
    batch->Unref();
  }
}

void SendQueue::FailPermanently(const absl::Status& why) {
  constexpr uint8_t kSkip =
      SendBatchState::kResolved | SendBatchState::kAtDriver;
  for (SendBatchState* batch : Held()) {
    if (batch->observer == nullptr) {
      for (SendResult& r : batch->results) {
        if ((r.flags_ & kSkip) != 0) continue;
        const bool in_doubt = (r.flags_ & SendBatchState::kMaybeTaken) != 0;
        Resolve(r, in_doubt ? SendState::kUnknown : SendState::kNotSent, why);
      }
    }
    batch->Unref();
  }
  DropResolvedResends();
}

}  // namespace tieline::inline v0
