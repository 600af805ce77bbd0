#include "lib/engine/sender_core.h"

#include <algorithm>
#include <utility>

#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/engine/id_stamp.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace {

void CountBytes(SendBatchState* batch) {
  uint64_t bytes = 0;
  for (const SendResult& r : batch->results) {
    bytes += r.message.size_estimate();
  }
  batch->bytes = bytes;
}

}  // namespace

SenderCore::SenderCore(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
                       SenderOptions options, std::string producer)
    : endpoint_(std::move(endpoint)),
      queue_(std::move(queue)),
      options_(std::move(options)),
      producer_(std::move(producer)),
      link_(endpoint_.get(), queue_, "sender", options_.needs),
      in_hand_(endpoint_.get(), link_.name(), options_.window,
               queue_.ordered == Order::kPerKey) {}

SenderCore::~SenderCore() = default;

// ---- Any thread: giving.

void SenderCore::StampIds(SendBatchState* batch) {
  if (!options_.stamp_ids) return;
  IdStamp id(producer_, next_id_.fetch_add(batch->results.size(),
                                           std::memory_order_relaxed));
  for (SendResult& r : batch->results) {
    driver::StampId(r.message, id.text());
    id.CountUp();
  }
}

bool SenderCore::HasRoom(const SendBatchState& batch) const {
  // A batch larger than the bound goes alone.
  return pending_ == 0 ||
         (pending_ + batch.results.size() <= options_.max_pending &&
          pending_bytes_ + batch.bytes <= options_.max_pending_bytes);
}

void SenderCore::Enqueue(SendBatchState* batch, absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) timeout = options_.timeout;
  batch->deadline = timeout == absl::InfiniteDuration()
                        ? absl::InfiniteFuture()
                        : endpoint_->clock()->Steady() + timeout;
  batch->sequence = next_sequence_++;
  batch->flush_group = flush_groups_.Add(batch->results.size());
  pending_ += batch->results.size();
  pending_bytes_ += batch->bytes;
  counts_.sent += batch->results.size();
  incoming_.push_back(batch);
}

absl::Status SenderCore::Give(SendBatchState* batch, absl::Duration timeout) {
  CountBytes(batch);
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(link_.CheckOpen());
    if (!HasRoom(*batch)) {
      return MakeStatus(absl::StatusCode::kResourceExhausted,
                        "{}: {} messages are on their way, the bound is {}: "
                        "send more slowly or raise max_pending",
                        link_.name(), pending_, options_.max_pending);
    }
    Enqueue(batch, timeout);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

absl::Status SenderCore::GiveWaiting(SendBatchState* batch,
                                     absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  if (timeout <= absl::ZeroDuration()) timeout = options_.timeout;
  CountBytes(batch);
  {
    MutexLock lock(&mu_);
    if (!HasRoom(*batch)) {
      const Deadline deadline(timeout);
      while (!link_.closed() && !HasRoom(*batch)) {
        const absl::Duration left = deadline.Left();
        if (left == absl::ZeroDuration()) {
          return MakeStatus(absl::StatusCode::kResourceExhausted,
                            "{}: no room within {} ({} messages on their way)",
                            link_.name(), absl::FormatDuration(timeout),
                            pending_);
        }
        room_cv_.WaitFor(&mu_, left);
      }
      timeout = std::max(deadline.Left(), absl::Milliseconds(1));
    }
    TIELINE_RETURN_IF_ERROR(link_.CheckOpen());
    Enqueue(batch, timeout);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

absl::Status SenderCore::GiveUnbounded(SendBatchState* batch,
                                       absl::Duration timeout) {
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(link_.CheckOpen());
    Enqueue(batch, timeout);
  }
  endpoint_->PumpNow(this);
  return absl::OkStatus();
}

// ---- In the strand.

void SenderCore::OnUp(driver::Connection* connection) {
  link_.OnUp(connection);
}

void SenderCore::OpenLink(absl::Time now) {
  driver::Connection* connection = link_.ToOpen(now);
  if (connection == nullptr) return;
  driver_.reset();
  driver::SenderSpec spec;
  spec.queue = queue_;
  spec.ordered = queue_.ordered == Order::kPerKey;
  auto opened = connection->OpenSender(spec, this);
  if (!opened.ok()) {
    OnClosed(opened.status());
    return;
  }
  driver_ = *std::move(opened);
  link_.OnOpening();
}

void SenderCore::OnOpened(const Capabilities& capabilities) {
  refused_ = link_.OnOpened(capabilities);
  in_hand_.OnOpened(capabilities.has(Capability::kOrderedPipelining));
  endpoint_->MarkDirty(this);
}

void SenderCore::OnSendable() {
  in_hand_.OnSendable();
  endpoint_->MarkDirty(this);
}

void SenderCore::OnClosed(const absl::Status& why) {
  absl::Status error;
  if (link_.OnClosed(why, &error)) return;
  refused_ = IsPermanent(error) ? error : absl::OkStatus();
  endpoint_->MarkDirty(this);
}

void SenderCore::OnDown(const absl::Status& why) {
  driver_.reset();
  link_.OnDown(why);
  refused_ = IsPermanent(why) ? Annotate(why, link_.name()) : absl::OkStatus();
  if (!why.ok()) return;
  TakeIncoming();
  in_hand_.CancelAll();
  EndTurn();
  in_hand_.ReleaseAll();
}

void SenderCore::TakeIncoming() {
  {
    MutexLock lock(&mu_);
    taking_.swap(incoming_);
  }
  for (SendBatchState* batch : taking_) in_hand_.Add(batch);
  taking_.clear();
}

void SenderCore::CloseLink() {
  bool close_handle = false;
  if (!link_.BeginClose(driver_ != nullptr, &close_handle)) return;
  if (close_handle) {
    driver_->Close();
  } else {
    OnClosed(absl::OkStatus());
  }
}

absl::Time SenderCore::Pump(absl::Time now) {
  const bool closing = link_.close_asked();
  TakeIncoming();
  in_hand_.Expire(now, [this] { return last_error(); });
  if (closing) {
    in_hand_.CancelAll();
    CloseLink();
  }
  OpenLink(now);
  if (!refused_.ok()) in_hand_.FailPermanently(refused_);
  if (link_.open() && refused_.ok()) {
    in_hand_.Submit(driver_.get(), now);
  } else {
    in_hand_.PurgeResolved();
  }
  EndTurn();
  return std::min(in_hand_.Next(now, link_.open()), link_.next_try());
}

void SenderCore::OnOutcomes(std::span<const driver::Outcome> outcomes) {
  in_hand_.OnOutcomes(outcomes);
  EndTurn();
  if (in_hand_.HasWork()) endpoint_->MarkDirty(this);
}

void SenderCore::EndTurn() {
  SendQueue::Turn& turn = in_hand_.turn();
  if (turn.any()) {
    MutexLock lock(&mu_);
    pending_ -= turn.resolved();
    pending_bytes_ -= turn.bytes;
    counts_.accepted += turn.accepted;
    counts_.rejected += turn.rejected;
    counts_.failed += turn.failed;
    counts_.resent += turn.resent;
    for (const SendQueue::Turn::Group& group : turn.groups) {
      flush_groups_.Resolve(group.number, group.resolved);
    }
    turn.Clear();
    room_cv_.NotifyAll();
  }
  // Only now: whoever has a result finds the room that it took free again.
  in_hand_.EndTurn();
}

// ---- Any thread: waiting.

absl::Status SenderCore::WaitPassed(uint64_t mark, absl::Duration timeout) {
  const Deadline deadline(timeout);
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  MutexLock lock(&mu_);
  while (!flush_groups_.Passed(mark)) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: {} messages without a result after {}",
                        link_.name(), flush_groups_.PendingBefore(mark),
                        absl::FormatDuration(timeout));
    }
    room_cv_.WaitFor(&mu_, left);
  }
  return absl::OkStatus();
}

absl::Status SenderCore::Flush(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  uint64_t mark = 0;
  {
    MutexLock lock(&mu_);
    mark = flush_groups_.Mark();
  }
  return WaitPassed(mark, timeout);
}

absl::Status SenderCore::Close(absl::Duration timeout) {
  const Deadline deadline(timeout);
  if (!link_.Refuse()) return absl::OkStatus();
  {
    MutexLock lock(&mu_);
    room_cv_.NotifyAll();
  }
  absl::Status status = absl::OkStatus();
  if (timeout > absl::ZeroDuration()) status = Flush(timeout);
  {
    MutexLock lock(&mu_);
    if (status.ok() && pending_ > 0) {
      status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                          "{}: closed with {} messages without a result",
                          link_.name(), pending_);
    }
  }
  link_.AskToClose();
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  if (CheckMayBlock(*endpoint_).ok()) link_.WaitClosed(deadline);
  endpoint_->Detach(shared_from_this());
  return status;
}

SenderMetrics SenderCore::metrics() const {
  MutexLock lock(&mu_);
  SenderMetrics m = counts_;
  m.queue = queue_.name;
  m.broker = endpoint_->broker().name;
  m.pending = pending_;
  return m;
}

}  // namespace tieline::inline v0
