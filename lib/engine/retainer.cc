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

// Written together: what came in this time, or sooner this much.
constexpr absl::Duration kGather = absl::Milliseconds(20);
constexpr int64_t kGatherBytes = int64_t{512} << 10;
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
      mail_(std::make_shared<Mail>()) {
  mail_->wake = options_.wake;
}

void Retainer::Close() {
  if (std::exchange(waiting_, 0) == 0) return;
  claim_->store()
      ->Submit(std::exchange(waits_, {}), [](const auto&) {})
      .IgnoreError();
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
  if (waiting_ == 0) waits_since_ = options_.clock->Steady();
  waits_.Append(claim_->retained(),
                std::hash<std::string_view>()(result.message.key()), bytes_);
  ++waiting_;
}

bool Retainer::has_work() const {
  if (!writes_) return waiting_ > 0;
  MutexLock lock(&mail_->mu);
  return mail_->answered;
}

bool Retainer::lets_submit() const { return waits_.bytes() < kMostWaiting; }

void Retainer::Pump(absl::Time now) {
  now_ = now;
  next_ = absl::InfiniteFuture();
  TakeAnswer();
  if (!writes_) Write();
}

void Retainer::TakeAnswer() {
  absl::StatusOr<StoreCommitted> answer;
  {
    MutexLock lock(&mail_->mu);
    if (!std::exchange(mail_->answered, false)) return;
    answer = std::move(mail_->answer);
  }
  writes_ = false;
  const uint64_t count = std::exchange(writing_, 0);
  if (count == 0) return;
  if (!answer.ok()) {
    if (lost_ == 0) {
      options_.log(fmt::format("{}: what brokers accept is not retained: {}",
                               options_.queue, MessageOf(answer.status())));
    }
    lost_ += count;
    return;
  }
  if (lost_ > 0) {
    options_.log(fmt::format("{}: {} messages were not retained",
                             options_.queue, std::exchange(lost_, 0)));
  }
  const Appended& added = answer->appended.front();
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

void Retainer::Write() {
  const bool is_due = waits_.bytes() >= kGatherBytes ||
                      (waiting_ > 0 && now_ >= waits_since_ + kGather);
  StoreBatch batch;
  if (is_due) batch = std::exchange(waits_, {});
  const bool trims = AddTrims(&batch);
  if (!is_due && waiting_ > 0) {
    next_ = std::min(next_, waits_since_ + kGather);
  }
  if (!is_due && !trims) return;
  if (is_due) {
    writing_ = std::exchange(waiting_, 0);
    writing_bytes_ = batch.bytes();
  }
  writes_ = true;
  const auto done = [mail =
                         mail_](const absl::StatusOr<StoreCommitted>& result) {
    {
      MutexLock lock(&mail->mu);
      mail->answered = true;
      mail->answer = result;
    }
    mail->wake();
  };
  const absl::Status status = claim_->store()->Submit(std::move(batch), done);
  if (!status.ok()) done(status);
}

bool Retainer::AddTrims(StoreBatch* batch) {
  int64_t excess = std::exchange(wanted_room_, 0);
  if (!batch->empty()) {
    excess = std::max(excess, claim_->store()->state().spool_bytes +
                                  batch->bytes() - options_.most_bytes);
  }
  bool trims = false;
  MutexLock lock(&mu_);
  for (Lane& lane : lanes_) {
    uint64_t through = 0;
    while (!lane.runs.empty()) {
      const Run& oldest = lane.runs.front();
      const absl::Time goes =
          oldest.began + options_.keep_for + options_.keep_for / kRuns;
      if (now_ < goes && excess <= 0) {
        next_ = std::min(next_, goes);
        break;
      }
      excess -= oldest.bytes;
      through = oldest.last;
      lane.runs.pop_front();
    }
    if (through == 0) continue;
    batch->Trim(lane.id, through);
    trims = true;
  }
  return trims;
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
