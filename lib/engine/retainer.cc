#include "lib/engine/retainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "lib/base/status.h"
#include "lib/engine/spool_entry.h"

namespace tieline::inline v0 {
namespace {

// Written together: what came in this time, or sooner this much, and no more
// than a part of what may be retained.
constexpr absl::Duration kGather = absl::Milliseconds(20);
constexpr int64_t kGatherBytes = int64_t{512} << 10;
constexpr int kParts = 8;
// After a trim failed.
constexpr absl::Duration kRetry = absl::Milliseconds(100);
// The sender waits for the disk from here on.
constexpr int64_t kMostWaiting = int64_t{8} << 20;
// Well below what the store takes at once.
constexpr size_t kMostBytes = size_t{3} << 20;  // one message
// A run is so much of the time that messages are kept for, or of their bound.
constexpr int kRuns = 64;

}  // namespace

Retainer::Retainer(SpoolLanes::Claim* claim, RetainerOptions options)
    : claim_(claim),
      options_(std::move(options)),
      mail_(std::make_shared<Mail>()),
      part_bytes_(std::min(kGatherBytes, options_.most_bytes / kParts)) {
  mail_->wake = options_.wake;
}

void Retainer::Close() {
  for (Part& part : std::exchange(parts_, {})) {
    claim_->store()
        ->Submit(std::move(part.batch), [](const auto&) {})
        .IgnoreError();
  }
  waiting_bytes_ = 0;
}

absl::Status Retainer::Open() {
  now_ = options_.clock->Steady();
  TIELINE_RETURN_IF_ERROR(AddLane(claim_->retained()));
  TakeLeft();
  return absl::OkStatus();
}

absl::Status Retainer::AddLane(QueueId id) {
  TIELINE_ASSIGN_OR_RETURN(const Store::SpoolRange range,
                           claim_->store()->RangeOf(id));
  Lane lane;
  lane.id = id;
  if (range.last > range.trimmed)
    lane.runs.push_back({range.last, now_, options_.most_bytes});
  MutexLock lock(&mu_);
  lanes_.push_back(std::move(lane));
  return absl::OkStatus();
}

void Retainer::TakeLeft() {
  for (const QueueId id : claim_->TakeLeftRetained()) {
    const absl::Status added = AddLane(id);
    if (added.ok()) continue;
    options_.log(fmt::format("{}: what is retained can't be read: {}",
                             options_.queue, MessageOf(added)));
  }
}

void Retainer::Keep(const SendResult& result) {
  bytes_.clear();
  EncodeSpoolEntry(SpoolEntryOf(result, options_.clock->Now()), &bytes_);
  if (bytes_.size() > kMostBytes) {
    options_.log(
        fmt::format("{}: message {} of {} bytes is too large to be "
                    "retained",
                    options_.queue, result.id(), bytes_.size()));
    return;
  }
  if (parts_.empty() || parts_.back().batch.bytes() >= part_bytes_) {
    parts_.emplace_back().since = options_.clock->Steady();
  }
  Part& part = parts_.back();
  const int64_t before = part.batch.bytes();
  part.batch.Append(claim_->retained(),
                    std::hash<std::string_view>()(result.message.key()),
                    bytes_);
  waiting_bytes_ += part.batch.bytes() - before;
  ++part.count;
}

bool Retainer::has_work() const {
  if (!writes_ && !parts_.empty()) return true;
  MutexLock lock(&mail_->mu);
  return !mail_->answers.empty();
}

bool Retainer::lets_submit() const { return waiting_bytes_ < kMostWaiting; }

void Retainer::Pump(absl::Time now) {
  now_ = now;
  next_ = absl::InfiniteFuture();
  TakeAnswers();
  Write();
}

void Retainer::TakeAnswers() {
  std::vector<Answer> answers;
  {
    MutexLock lock(&mail_->mu);
    answers.swap(mail_->answers);
  }
  for (const Answer& answer : answers) {
    if (answer.of_trims) {
      OnTrimmed(answer.result.status());
    } else {
      OnWritten(answer.result);
    }
  }
}

void Retainer::OnWritten(const absl::StatusOr<StoreCommitted>& result) {
  writes_ = false;
  const uint64_t count = std::exchange(writing_, 0);
  if (!result.ok()) {
    if (lost_ == 0) {
      options_.log(fmt::format("{}: what brokers accept is not retained: {}",
                               options_.queue, MessageOf(result.status())));
    }
    lost_ += count;
    return;
  }
  if (lost_ > 0) {
    options_.log(fmt::format("{}: {} messages were not retained",
                             options_.queue, std::exchange(lost_, 0)));
  }
  const Appended& added = result->appended.front();
  const uint64_t last = added.first + added.count - 1;
  MutexLock lock(&mu_);
  std::deque<Run>& runs = lanes_.front().runs;
  const bool goes_on = !runs.empty() &&
                       now_ - runs.back().began < options_.keep_for / kRuns &&
                       runs.back().bytes < options_.most_bytes / kRuns;
  if (!goes_on) runs.push_back({0, now_, 0});
  runs.back().last = last;
  runs.back().bytes += writing_bytes_;
}

void Retainer::OnTrimmed(const absl::Status& status) {
  trims_ = false;
  owes_trim_ = !status.ok();
  if (owes_trim_) {
    retry_at_ = now_ + kRetry;
    return;
  }
  MutexLock lock(&mu_);
  for (Lane& lane : lanes_) lane.trims = 0;
}

void Retainer::Write() {
  const bool is_due =
      !writes_ && !parts_.empty() &&
      (parts_.size() > 1 || parts_.front().batch.bytes() >= part_bytes_ ||
       now_ >= parts_.front().since + kGather);
  Trim(is_due ? parts_.front().batch.bytes() : 0);
  if (!is_due) {
    if (!writes_ && !parts_.empty()) {
      next_ = std::min(next_, parts_.front().since + kGather);
    }
    return;
  }
  Part part = std::move(parts_.front());
  parts_.pop_front();
  writing_ = part.count;
  writing_bytes_ = part.batch.bytes();
  waiting_bytes_ -= writing_bytes_;
  writes_ = true;
  Submit(std::move(part.batch), false);
}

void Retainer::Submit(StoreBatch batch, bool of_trims) {
  const auto done = [mail = mail_,
                     of_trims](const absl::StatusOr<StoreCommitted>& result) {
    {
      MutexLock lock(&mail->mu);
      mail->answers.push_back({of_trims, result});
    }
    mail->wake();
  };
  const absl::Status status = claim_->store()->Submit(std::move(batch), done);
  if (!status.ok()) done(status);
}

void Retainer::Trim(int64_t comes) {
  if (trims_) return;
  if (owes_trim_ && now_ < retry_at_) {
    next_ = std::min(next_, retry_at_);
    return;
  }
  int64_t excess = std::exchange(wanted_room_, 0);
  if (comes > 0) {
    excess = std::max(excess, claim_->store()->state().spool_bytes + comes -
                                  options_.most_bytes);
  }
  StoreBatch batch = TakeOldest(excess);
  if (batch.empty()) return;
  trims_ = true;
  Submit(std::move(batch), true);
}

StoreBatch Retainer::TakeOldest(int64_t excess) {
  StoreBatch batch;
  const absl::Duration keep_for = options_.keep_for + options_.keep_for / kRuns;
  MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    while (!lane.runs.empty()) {
      const Run& oldest = lane.runs.front();
      if (now_ < oldest.began + keep_for && excess <= 0) {
        next_ = std::min(next_, oldest.began + keep_for);
        break;
      }
      excess -= oldest.bytes;
      lane.trims = oldest.last;
      lane.runs.pop_front();
    }
    if (lane.trims > 0) batch.Trim(lane.id, lane.trims);
  }
  return batch;
}

std::vector<QueueId> Retainer::lanes() const {
  MutexLock lock(&mu_);
  std::vector<QueueId> ids;
  for (const Lane& lane : lanes_) ids.push_back(lane.id);
  return ids;
}

uint64_t Retainer::count() const {
  uint64_t count = 0;
  for (const QueueId id : lanes()) {
    const auto range = claim_->store()->RangeOf(id);
    if (range.ok()) count += range->last - range->trimmed;
  }
  return count;
}

}  // namespace tieline::inline v0
