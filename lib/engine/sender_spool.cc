#include "lib/engine/sender_spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

using Json = nlohmann::ordered_json;

// What is written together: of some size, so that it is seldom, and well below
// what the store takes at once.
constexpr int64_t kWriteBytes = int64_t{1} << 20;
constexpr size_t kMostBytes = size_t{3} << 20;  // one message
constexpr absl::Duration kRetry = absl::Milliseconds(100);

}  // namespace

SenderSpool::SenderSpool(std::unique_ptr<SpoolLanes::Claim> claim,
                         SenderSpoolOptions options, SendQueue* in_hand)
    : claim_(std::move(claim)),
      options_(std::move(options)),
      in_hand_(in_hand),
      mail_(std::make_shared<Mail>()) {
  mail_->wake = options_.wake;
  claim_->SetWake(options_.wake);
}

SenderSpool::~SenderSpool() = default;

absl::Status SenderSpool::Open() {
  now_ = options_.clock->Steady();
  TIELINE_RETURN_IF_ERROR(AddLane(claim_->own()));
  if (options_.retain > absl::ZeroDuration()) {
    retainer_ = std::make_unique<Retainer>(
        claim_.get(),
        RetainerOptions{options_.queue, options_.retain, options_.most_retained,
                        options_.clock, options_.wake, options_.log});
    TIELINE_RETURN_IF_ERROR(retainer_->Open());
    for (const QueueId id : retainer_->lanes()) {
      TIELINE_ASSIGN_OR_RETURN(const Store::SpoolRange range,
                               claim_->store()->RangeOf(id));
      NoteSequence(id, range);
    }
    in_hand_->SetKeeper(retainer_.get());
    replays_.push_back(claim_->replays());
    FindReplays();
  }
  // New messages go behind those.
  spooling_ = !IsRead(lanes_.front());
  return absl::OkStatus();
}

void SenderSpool::Add(SendBatchState* batch) {
  if (!spooling_ || Mutant(92)) {
    // It was idle: the last answer is no measure.
    if (in_hand_->unresolved() == 0) stalled_since_ = absl::InfiniteFuture();
    in_hand_->Add(batch);
    return;
  }
  in_hand_->Keep(batch);
  waiting_.push_back(batch);
}

void SenderSpool::Pump(absl::Time now, bool may_submit) {
  now_ = now;
  next_ = absl::InfiniteFuture();
  stirred_ = false;
  TakeCompletions();
  DropExpiredWaiting();
  WriteRefused();
  for (size_t i = 0; i < lanes_.size(); ++i) Trim(i);
  if (retainer_ != nullptr) retainer_->Pump(now);
  if (claim_->WasWoken()) TakeLeft();
  WorkReplay();
  const bool may_read = begun_.empty() && may_submit && in_doubt_.empty();
  if (may_read) Read();
  if (replay_ && !closed_ && IsReplayed()) {
    EndReplay();
    // What waited for that: no outcome may be left that would bring us here.
    if (may_read) Read();
  }
  claim_->SetAhead(IsAhead());
  if (retainer_ != nullptr) WakeAt(retainer_->Next());
  if (!spooling_) {
    WatchForStall();
    return;
  }
  const bool takes = answered_ || unanswered_.count == 0;
  const bool replays = replay_ && replay_->in_order;
  if (may_read && !replays && !writes_ && IsRead(lanes_.front()) && takes) {
    End();
    return;
  }
  if (!writes_ && options_.after != absl::InfiniteDuration()) Write();
}

void SenderSpool::WatchForStall() {
  if (options_.after == absl::InfiniteDuration()) return;
  if (in_hand_->unresolved() == 0) {
    stalled_since_ = absl::InfiniteFuture();
    return;
  }
  stalled_since_ = std::min(stalled_since_, now_);
  const absl::Time at = std::max(stalled_since_ + options_.after, retry_at_);
  if (now_ < at) {
    WakeAt(at);
  } else {
    Begin();
  }
}

void SenderSpool::WakeAt(absl::Time at) { next_ = std::min(next_, at); }

void SenderSpool::OnTurn(const SendQueue::Turn& turn) {
  if (turn.answered > 0) {
    answered_ = true;
    stalled_since_ = options_.clock->Steady();
    disk_ = absl::OkStatus();
  }
  for (const auto& [result, accepted] : turn.late) {
    const auto it = in_doubt_.find(result);
    if (it == in_doubt_.end()) continue;
    const uint64_t number = it->second;
    in_doubt_.erase(it);
    stirred_ = true;
    if (accepted) Done(0, number);
  }
}

void SenderSpool::Forget() {
  begun_.clear();
  waiting_.clear();
  writing_.clear();
  in_doubt_.clear();
  if (retainer_ != nullptr) retainer_->Close();
  claim_->SetAhead(false);
}

// ---- To the disk.

void SenderSpool::Begin() {
  spooling_ = true;
  answered_ = false;
  spooled_ = 0;
  begun_ = in_hand_->BegunOwn();
  begun_written_ = 0;
  for (SendResult* r : begun_) SendQueue::Point(*r);
  for (SendBatchState* batch : in_hand_->TakeUnbegun()) {
    waiting_.push_back(batch);
  }
  options_.log(fmt::format("{}: no broker has taken a message for {}: spooling",
                           options_.queue,
                           absl::FormatDuration(options_.after)));
  Tell("spooling");
  Write();
}

void SenderSpool::Write() {
  if (now_ < retry_at_) {
    WakeAt(retry_at_);
    return;
  }
  StoreBatch batch;
  writing_.clear();
  if (!begun_.empty()) {
    FillFromBegun(&batch);
    if (writing_.empty()) {
      begun_.clear();
      in_hand_->DropResolved();
    }
  }
  writes_begun_ = !begun_.empty();
  if (!writes_begun_) FillFromWaiting(&batch);
  if (writing_.empty()) return;
  for (SendResult* r : writing_) {
    SendBatchState::FlagsOf(*r) |= SendBatchState::kSpooling;
  }
  writes_ = true;
  Submit(What::kWritten, 0, std::move(batch));
}

void SenderSpool::FillFromBegun(StoreBatch* batch) {
  while (begun_written_ < begun_.size() && batch->bytes() < kWriteBytes) {
    SendResult* r = begun_[begun_written_++];
    if (Writable(*r)) {
      Encode(*r, batch);
      writing_.push_back(r);
    } else {
      in_hand_->Unpoint(*r);
    }
  }
}

void SenderSpool::FillFromWaiting(StoreBatch* batch) {
  for (size_t i = 0; i < waiting_.size() && batch->bytes() < kWriteBytes; ++i) {
    SendBatchState& from = *waiting_[i];
    for (size_t k = from.next;
         k < from.results.size() && batch->bytes() < kWriteBytes; ++k) {
      SendResult& r = from.results[k];
      if (!Writable(r)) continue;
      Encode(r, batch);
      writing_.push_back(&r);
    }
  }
}

// It has no result, and gets one here if the store would not take it.
bool SenderSpool::Writable(SendResult& r) {
  if (SendBatchState::IsResolved(r)) return false;
  if (r.message.size_estimate() < kMostBytes) return true;
  in_hand_->ResolveNotSent(
      r, MakeStatus(absl::StatusCode::kResourceExhausted,
                    "{}: no broker takes messages, and one of {} bytes is too "
                    "large for the spool",
                    options_.queue, r.message.size_estimate()));
  return false;
}

void SenderSpool::Encode(const SendResult& r, StoreBatch* batch) {
  bytes_.clear();
  EncodeSpoolEntry(SpoolEntryOf(r, options_.clock->Now()), &bytes_);
  batch->Append(claim_->own(), std::hash<std::string_view>()(r.message.key()),
                bytes_);
}

void SenderSpool::Submit(What what, size_t lane, StoreBatch batch) {
  const auto done = [mail = mail_, what,
                     lane](const absl::StatusOr<StoreCommitted>& result) {
    {
      MutexLock lock(&mail->mu);
      mail->items.push_back({what, lane, result});
    }
    mail->wake();
  };
  const absl::Status status = claim_->store()->Submit(std::move(batch), done);
  if (!status.ok()) done(status);
}

bool SenderSpool::has_work() const {
  if (stirred_ || spooling_ || replay_ || asked_replay_) return true;
  if (retainer_ != nullptr && retainer_->has_work()) return true;
  MutexLock lock(&mail_->mu);
  return !mail_->items.empty();
}

void SenderSpool::TakeCompletions() {
  std::vector<Completion> items;
  {
    MutexLock lock(&mail_->mu);
    items.swap(mail_->items);
  }
  for (const Completion& item : items) {
    switch (item.what) {
      case What::kWritten:
        writes_ = false;
        if (item.result.ok()) {
          OnWritten(*item.result);
        } else {
          OnWriteFailed(item.result.status());
        }
        break;
      case What::kTrimmed:
        lanes_[item.lane].trims = false;
        lanes_[item.lane].owes_trim = !item.result.ok();
        if (!item.result.ok()) NoteDisk(item.result.status());
        break;
      case What::kRefused:
        OnRefusedWritten(item.result.status());
        break;
    }
  }
}

void SenderSpool::OnWritten(const StoreCommitted& result) {
  const Appended& added = result.appended.front();
  lanes_.front().last = added.first + added.count - 1;
  in_spool_.fetch_add(added.count);
  spooled_ += added.count;
  disk_ = absl::OkStatus();
  uint64_t number = added.first;
  if (writes_begun_) {
    for (SendResult* r : writing_) {
      OnSpooled(r, number++);
      in_hand_->Unpoint(*r);
    }
    if (begun_written_ == begun_.size()) begun_.clear();
    in_hand_->DropResolved();
  } else {
    for (size_t i = 0; i < writing_.size();) {
      // Those between have a result.
      SendBatchState* batch = waiting_.front();
      SendResult* r = &batch->results[batch->next++];
      if (batch->next == batch->results.size()) waiting_.pop_front();
      if (r == writing_[i]) {
        OnSpooled(r, number++);
        ++i;
      }
      in_hand_->Unpoint(*r);
    }
  }
  writing_.clear();
  DropExpiredWaiting();
}

void SenderSpool::OnSpooled(SendResult* r, uint64_t number) {
  // It was accepted, or its deadline passed, meanwhile: it is not to be sent.
  if (SendBatchState::IsResolved(*r)) {
    if (!Mutant(90)) Done(0, number);
    return;
  }
  if ((SendBatchState::FlagsOf(*r) & SendBatchState::kAtDriver) != 0) {
    in_doubt_.emplace(r, number);
  }
  in_hand_->ResolveSpooled(*r);
}

void SenderSpool::OnWriteFailed(const absl::Status& why) {
  NoteDisk(why);
  for (SendResult* r : writing_) {
    SendBatchState::FlagsOf(*r) &=
        static_cast<uint8_t>(~SendBatchState::kSpooling);
  }
  if (!writes_begun_) {
    writing_.clear();
    DropExpiredWaiting();
    return;
  }
  // What is in the lane comes before what is left of them, and would have to
  // overtake it in the SendQueue.
  const bool some_are_there = spooled_ > 0;
  begun_.erase(begun_.begin(),
               begun_.begin() + static_cast<std::ptrdiff_t>(begun_written_));
  begun_.insert(begun_.begin(), writing_.begin(), writing_.end());
  writing_.clear();
  for (SendResult* r : begun_) {
    if (some_are_there && !SendBatchState::IsResolved(*r)) {
      in_hand_->ResolveNotSent(*r, why);
    }
    in_hand_->Unpoint(*r);
  }
  begun_.clear();
  in_hand_->DropResolved();
  if (!some_are_there) End();
}

// What waits and has its results is not pointed to from here any more.
void SenderSpool::DropExpiredWaiting() {
  if (writes_ && !writes_begun_) return;
  while (!waiting_.empty() && waiting_.front()->unresolved == 0) {
    in_hand_->DropRest(waiting_.pop_front());
  }
}

void SenderSpool::NoteDisk(const absl::Status& why) {
  retry_at_ = now_ + kRetry;
  WakeAt(retry_at_);
  if (absl::IsResourceExhausted(why) && retainer_ != nullptr) {
    retainer_->MakeRoom(kWriteBytes);
  }
  if (disk_.code() != why.code()) {
    options_.log(fmt::format("{}: nothing can be spooled: {}", options_.queue,
                             MessageOf(why)));
  }
  disk_ = Annotate(why, options_.queue);
}

void SenderSpool::Tell(const char* step, const Refused* refused) {
  Json entry = {{"queue", options_.queue}, {"step", step}};
  if (refused != nullptr) {
    entry["id"] = refused->id;
    entry["why"] = refused->why;
  }
  entry["spooled"] = spooled_;
  entry["in_spool"] = in_spool();
  if (expired_ > 0) entry["expired"] = expired_;
  options_.journal(entry.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// What waited goes behind what was in the lane.
void SenderSpool::End() {
  for (size_t i = 0; i < waiting_.size(); ++i) in_hand_->Enter(waiting_[i]);
  waiting_.clear();
  spooling_ = false;
  stalled_since_ = now_;
  if (spooled_ > 0 || expired_ > 0) {
    options_.log(fmt::format("{}: the spool is read to its end ({} expired)",
                             options_.queue, expired_));
    Tell("spool read");
  }
  spooled_ = expired_ = 0;
}

}  // namespace tieline::inline v0
