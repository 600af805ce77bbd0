#include "lib/engine/sender_core.h"

#include <algorithm>
#include <utility>

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
    : queue_(std::move(queue)),
      options_(std::move(options)),
      producer_(std::move(producer)),
      clock_(endpoint->clock()),
      in_hand_(endpoint.get(), nullptr, options_.window,
               queue_.ordered == Order::kPerKey) {
  auto leg =
      std::make_shared<SenderLeg>(this, std::move(endpoint), queue_, options_);
  in_hand_.SetName(&leg->link().name());
  at_home_.store(leg.get());
  home_ = leg;
  legs_.push_back(std::move(leg));
}

SenderCore::~SenderCore() = default;

// The leg, with what it belongs to.
std::shared_ptr<EndpointUser> SenderCore::WithCore(
    const std::shared_ptr<SenderLeg>& leg) {
  auto both = std::make_shared<
      std::pair<std::shared_ptr<SenderCore>, std::shared_ptr<SenderLeg>>>(
      shared_from_this(), leg);
  return {std::move(both), leg.get()};
}

absl::Status SenderCore::UseSpool(
    std::unique_ptr<SpoolLanes::Claim> claim, bool spools,
    int64_t most_retained, std::function<void(const std::string&)> journal) {
  SenderSpoolOptions options;
  options.queue = queue_.name;
  options.after = spools ? queue_.spool : absl::InfiniteDuration();
  options.retain = queue_.retain;
  options.most_retained = most_retained;
  retains_ = queue_.retain > absl::ZeroDuration();
  options.clock = clock_;
  options.wake = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->WakeHome();
  };
  options.log =
      [log = home()->endpoint().options().log](const std::string& text) {
        if (log) log(LogLevel::kWarning, text);
      };
  options.journal = std::move(journal);
  spool_ = std::make_unique<SenderSpool>(std::move(claim), std::move(options),
                                         &in_hand_);
  TIELINE_RETURN_IF_ERROR(spool_->Open());
  MutexLock lock(&mu_);
  next_sequence_ = spool_->next_sequence();
  return absl::OkStatus();
}

void SenderCore::Attach() {
  const std::shared_ptr<SenderLeg> leg = home();
  leg->endpoint().Attach(WithCore(leg));
}

std::shared_ptr<SenderLeg> SenderCore::home() const {
  MutexLock lock(&mu_);
  return home_;
}

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

std::shared_ptr<SenderLeg> SenderCore::Enqueue(SendBatchState* batch,
                                               absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) timeout = options_.timeout;
  batch->deadline = timeout == absl::InfiniteDuration()
                        ? absl::InfiniteFuture()
                        : clock_->Steady() + timeout;
  batch->sequence = next_sequence_++;
  batch->flush_group = flush_groups_.Add(batch->results.size());
  pending_ += batch->results.size();
  pending_bytes_ += batch->bytes;
  counts_.sent += batch->results.size();
  incoming_.push_back(batch);
  return home_;
}

absl::Status SenderCore::Give(SendBatchState* batch, absl::Duration timeout) {
  CountBytes(batch);
  std::shared_ptr<SenderLeg> leg;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(home_->link().CheckOpen());
    if (!HasRoom(*batch)) {
      return MakeStatus(absl::StatusCode::kResourceExhausted,
                        "{}: {} messages are on their way, the bound is {}: "
                        "send more slowly or raise max_pending",
                        home_->link().name(), pending_, options_.max_pending);
    }
    leg = Enqueue(batch, timeout);
  }
  leg->endpoint().MarkDirty(leg.get());
  leg->endpoint().Schedule();
  return absl::OkStatus();
}

absl::Status SenderCore::GiveWaiting(SendBatchState* batch,
                                     absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) timeout = options_.timeout;
  CountBytes(batch);
  std::shared_ptr<SenderLeg> leg;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckMayBlock(home_->endpoint()));
    if (!HasRoom(*batch)) {
      const Deadline deadline(timeout);
      while (!home_->link().closed() && !HasRoom(*batch)) {
        const absl::Duration left = deadline.Left();
        if (left == absl::ZeroDuration()) {
          return MakeStatus(absl::StatusCode::kResourceExhausted,
                            "{}: no room within {} ({} messages on their way)",
                            home_->link().name(), absl::FormatDuration(timeout),
                            pending_);
        }
        room_cv_.WaitFor(&mu_, left);
      }
      timeout = std::max(deadline.Left(), absl::Milliseconds(1));
    }
    TIELINE_RETURN_IF_ERROR(home_->link().CheckOpen());
    leg = Enqueue(batch, timeout);
  }
  leg->endpoint().MarkDirty(leg.get());
  leg->endpoint().Poke();
  return absl::OkStatus();
}

absl::Status SenderCore::GiveUnbounded(SendBatchState* batch,
                                       absl::Duration timeout) {
  std::shared_ptr<SenderLeg> leg;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(home_->link().CheckOpen());
    leg = Enqueue(batch, timeout);
  }
  leg->endpoint().PumpNow(leg.get());
  return absl::OkStatus();
}

// ---- In a leg's strand.

void SenderCore::OnLegOpened(SenderLeg& leg) {
  if (IsHome(leg)) in_hand_.OnOpened(leg.pipelines());
  OnLegChanged(leg);
}

void SenderCore::OnLegSendable(SenderLeg& leg) {
  if (IsHome(leg)) in_hand_.OnSendable();
  leg.endpoint().MarkDirty(&leg);
}

void SenderCore::OnLegChanged(SenderLeg& leg) {
  leg.endpoint().MarkDirty(&leg);
  CallMover();
}

void SenderCore::OnLegDown(SenderLeg& leg, const absl::Status& why) {
  if (!IsHome(leg)) {
    OnLeftLegDown(leg);
    return;
  }
  if (!why.ok()) {
    CallMover();
    return;
  }
  TakeAway();
  TakeIncoming();
  in_hand_.CancelAll();
  EndTurn();
  bool is_last = false;
  {
    MutexLock lock(&mu_);
    home_is_down_ = true;
    is_last = left_ == nullptr;
  }
  // Else the driver of the leg that was left still points to what it has.
  if (is_last) ReleaseAll();
}

void SenderCore::ReleaseAll() {
  if (spool_ != nullptr) spool_->Forget();
  in_hand_.ReleaseAll();
}

absl::Status SenderCore::LastError(const SenderLeg& leg) const {
  if (spool_ != nullptr && !spool_->disk().ok()) return spool_->disk();
  return leg.link().last_error();
}

void SenderCore::TakeIncoming() {
  {
    MutexLock lock(&mu_);
    taking_.swap(incoming_);
  }
  for (SendBatchState* batch : taking_) {
    if (spool_ != nullptr) {
      spool_->Add(batch);
    } else {
      in_hand_.Add(batch);
    }
  }
  taking_.clear();
}

absl::Time SenderCore::Pump(SenderLeg& leg, absl::Time now) {
  const bool closing = leg.link().close_asked();
  if (!IsHome(leg) ||
      (stirred_.load(std::memory_order_acquire) && Stir(leg, now))) {
    if (closing) {
      leg.CloseLink();
    } else {
      leg.OpenLink(now);
    }
    return leg.link().next_try();
  }
  TakeIncoming();
  in_hand_.Expire(now, [&] { return LastError(leg); });
  if (closing) {
    in_hand_.CancelAll();
    leg.CloseLink();
  }
  if (!leg.link().open()) leg.OpenLink(now);
  const bool spools = spool_ != nullptr && spool_->spooling();
  if (!leg.refused().ok() && !spools) in_hand_.FailPermanently(leg.refused());
  bool may_submit = leg.ready() && !held();
  absl::Time next = leg.link().next_try();
  if (spool_ != nullptr) {
    spool_->Pump(now, may_submit);
    next = std::min(next, spool_->Next());
    may_submit = may_submit && spool_->lets_submit();
  }
  if (may_submit) {
    in_hand_.Submit(leg.driver(), now);
  } else {
    in_hand_.PurgeResolved();
  }
  EndTurn();
  return std::min(in_hand_.Next(now, may_submit), next);
}

void SenderCore::OnLegOutcomes(SenderLeg& leg,
                               std::span<const driver::Outcome> outcomes) {
  if (!IsHome(leg)) {
    OnLeftLegOutcomes(leg, outcomes);
    return;
  }
  in_hand_.OnOutcomes(outcomes);
  EndTurn();
  const bool spools = spool_ != nullptr && spool_->has_work();
  if (in_hand_.HasWork() || spools) leg.endpoint().MarkDirty(&leg);
}

void SenderCore::EndTurn() {
  SendQueue::Turn& turn = in_hand_.turn();
  if (spool_ != nullptr) spool_->OnTurn(turn);
  if (turn.any()) {
    MutexLock lock(&mu_);
    pending_ -= turn.resolved();
    pending_bytes_ -= turn.bytes;
    counts_.accepted += turn.accepted;
    counts_.rejected += turn.rejected;
    counts_.failed += turn.failed;
    counts_.spooled += turn.spooled;
    counts_.resent += turn.resent;
    for (const SendQueue::Turn::Group& group : turn.groups) {
      flush_groups_.Resolve(group.number, group.resolved);
    }
    room_cv_.NotifyAll();
  }
  turn.Clear();
  // Only now: whoever has a result finds the room that it took free again.
  in_hand_.EndTurn();
}

// ---- Any thread: waiting.

absl::Status SenderCore::WaitPassed(uint64_t mark, absl::Duration timeout) {
  const Deadline deadline(timeout);
  const std::shared_ptr<SenderLeg> leg = home();
  leg->endpoint().MarkDirty(leg.get());
  leg->endpoint().Poke();
  MutexLock lock(&mu_);
  while (!flush_groups_.Passed(mark)) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: {} messages without a result after {}",
                        home_->link().name(), flush_groups_.PendingBefore(mark),
                        absl::FormatDuration(timeout));
    }
    room_cv_.WaitFor(&mu_, left);
  }
  return absl::OkStatus();
}

absl::Status SenderCore::Flush(absl::Duration timeout) {
  uint64_t mark = 0;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckMayBlock(home_->endpoint()));
    mark = flush_groups_.Mark();
  }
  return WaitPassed(mark, timeout);
}

// While the queue moves, a Refuse of the home is handed to the next one.
absl::Status SenderCore::Close(absl::Duration timeout) {
  const Deadline deadline(timeout);
  {
    MutexLock lock(&mu_);
    if (!home_->link().Refuse()) return absl::OkStatus();
    room_cv_.NotifyAll();
  }
  absl::Status status = absl::OkStatus();
  if (timeout > absl::ZeroDuration()) status = Flush(timeout);
  std::shared_ptr<SenderLeg> leg;
  std::vector<std::shared_ptr<SenderLeg>> legs;
  {
    MutexLock lock(&mu_);
    if (status.ok() && pending_ > 0) {
      status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                          "{}: closed with {} messages without a result",
                          home_->link().name(), pending_);
    }
    // It goes nowhere from here.
    next_.reset();
    mover_.reset();
    leg = home_;
    legs.swap(legs_);
  }
  for (const auto& each : legs) {
    each->link().AskToClose();
    each->endpoint().MarkDirty(each.get());
    each->endpoint().Poke();
  }
  if (CheckMayBlock(leg->endpoint()).ok()) leg->link().WaitClosed(deadline);
  for (const auto& each : legs) each->endpoint().Detach(WithCore(each));
  return status;
}

absl::Status SenderCore::WaitOpen(absl::Duration timeout) const {
  return home()->link().WaitOpen(timeout);
}

SenderMetrics SenderCore::metrics() const {
  MutexLock lock(&mu_);
  SenderMetrics m = counts_;
  m.queue = queue_.name;
  m.broker = home_->endpoint().broker().name;
  m.pending = pending_;
  if (spool_ != nullptr) {
    m.in_spool = spool_->in_spool();
    m.retained = spool_->retained();
  }
  return m;
}

}  // namespace tieline::inline v0
