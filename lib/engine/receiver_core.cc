#include "lib/engine/receiver_core.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Lane;
using driver::LaneEvent;
using driver::LaneState;
using driver::Settled;
using driver::Settlement;
using driver::Token;
using driver::Verb;

namespace {

// Queued settlements go out together, at the latest after this.
constexpr absl::Duration kSettleDelay = absl::Milliseconds(1);
// How often a thread looks for a wake before it goes to sleep; some tens of
// microseconds.
constexpr int kSpins = 2000;

uint64_t KeyHash(const Inbound& inbound) {
  return std::hash<std::string_view>()(inbound.message.key());
}

void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ReceiverCore::ReceiverCore(std::shared_ptr<Endpoint> endpoint,
                           QueueConfig queue, ReceiverOptions options,
                           MakeDeadLetterSender make_dead_letter_sender)
    : endpoint_(std::move(endpoint)),
      queue_(std::move(queue)),
      options_(std::move(options)),
      make_dead_letter_sender_(std::move(make_dead_letter_sender)),
      ordered_(queue_.ordered == Order::kPerKey),
      settle_batch_(std::clamp(options_.credit / 4, 1u, 64u)),
      open_backoff_(endpoint_->options().reconnect.min_delay,
                    endpoint_->options().reconnect.max_delay,
                    endpoint_->options().reconnect.jitter),
      capability_bits_(endpoint_->driver().capabilities().bits),
      capabilities_(endpoint_->driver().capabilities()) {}

ReceiverCore::~ReceiverCore() = default;

std::string ReceiverCore::Name() const {
  return fmt::format("queue {} (broker {}, entity {})", queue_.name,
                     endpoint_->broker().name, queue_.entity);
}

absl::Status ReceiverCore::SetConsumer(
    std::shared_ptr<DeliveryConsumer> consumer) {
  {
    MutexLock lock(&mu_);
    if (consumer != nullptr && consumer_ != nullptr) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "{}: there is a processor already", Name());
    }
    if (consumer != nullptr) {
      paused_ = false;
      FreeBlockedKeys();
    }
    consumer_ = std::move(consumer);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

// A consumer keeps order per key by itself: what waits goes first, in order.
void ReceiverCore::FreeBlockedKeys() {
  for (auto it = retries_.begin(); it != retries_.end();) {
    if (!it->second.keyed) {
      ++it;
      continue;
    }
    ready_.push_back(std::move(it->second.inbound));
    auto blocked = blocked_keys_.find(it->second.key);
    if (blocked != blocked_keys_.end()) {
      for (Inbound& parked : blocked->second) {
        ready_.push_back(std::move(parked));
      }
      blocked_keys_.erase(blocked);
    }
    it = retries_.erase(it);
  }
}

// ---- Handing out.

Delivery ReceiverCore::MakeDelivery(Inbound inbound, uint32_t incarnation) {
  Delivery delivery;
  delivery.core_ = std::static_pointer_cast<ReceiverCore>(shared_from_this());
  delivery.inbound_ = std::move(inbound);
  delivery.incarnation_ = incarnation;
  return delivery;
}

size_t ReceiverCore::TakeReady(size_t max, std::vector<Delivery>* out) {
  const size_t n = std::min(max, ready_.size());
  if (n == 0) return 0;
  out->reserve(out->size() + n);
  for (size_t i = 0; i < n; ++i) {
    out->push_back(MakeDelivery(std::move(ready_.front()), incarnation_));
    ready_.pop_front();
  }
  return n;
}

absl::Status ReceiverCore::ReceiveError() const {
  if (closed_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "{}: the receiver is closed", Name());
  }
  if (consumer_ != nullptr) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "{}: a processor receives here", Name());
  }
  if (IsPermanent(error_)) return error_;
  return absl::OkStatus();
}

absl::Status ReceiverCore::ReceiveBatch(size_t max, absl::Duration timeout,
                                        const std::stop_token& stop,
                                        std::vector<Delivery>* out) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  absl::Time until = absl::InfinitePast();
  for (;;) {
    {
      MutexLock lock(&mu_);
      if (TakeReady(max, out) > 0) return absl::OkStatus();
      TIELINE_RETURN_IF_ERROR(ReceiveError());
      paused_ = false;
      inline_wake_.store(false, std::memory_order_relaxed);
    }
    // Nothing is here: what was settled goes out, which also makes room.
    endpoint_->MarkDirty(this);
    endpoint_->Poke();
    if (endpoint_->runs_inline()) {
      MutexLock lock(&mu_);
      if (TakeReady(max, out) > 0) return absl::OkStatus();
    }
    const absl::Time now = absl::Now();
    if (until == absl::InfinitePast()) until = now + timeout;
    if (stop.stop_requested()) {
      return MakeStatus(absl::StatusCode::kCancelled, "{}: stopped", Name());
    }
    if (now >= until) {
      const absl::Status error = last_error();
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: nothing came within {}{}{}", Name(),
                        absl::FormatDuration(timeout),
                        error.ok() ? "" : "; last error: ", MessageOf(error));
    }
    if (endpoint_->runs_inline() && SpinForWake()) continue;
    WaitForReady(until, stop);
  }
}

bool ReceiverCore::SpinForWake() {
  spinning_.fetch_add(1);
  bool woken = false;
  for (int i = 0; i < kSpins && !woken; ++i) {
    woken = inline_wake_.load(std::memory_order_acquire);
    CpuRelax();
  }
  spinning_.fetch_sub(1);
  return woken || inline_wake_.load(std::memory_order_acquire);
}

bool ReceiverCore::WaitForReady(absl::Time until, const std::stop_token& stop) {
  std::stop_callback on_stop(stop, [this] {
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  });
  MutexLock lock(&mu_);
  ++waiting_;
  while (ready_.empty() && ReceiveError().ok() && !stop.stop_requested() &&
         !inline_wake_.load(std::memory_order_acquire)) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) break;
    cv_.WaitFor(&mu_, left);
  }
  --waiting_;
  return !ready_.empty();
}

bool ReceiverCore::OnInlineWake() {
  inline_wake_.store(true, std::memory_order_seq_cst);
  if (spinning_.load(std::memory_order_seq_cst) > 0) return true;
  MutexLock lock(&mu_);
  if (waiting_ == 0) return false;
  cv_.NotifyOne();
  return true;
}

// ---- Settling.

ReceiverCore::LaneInfo& ReceiverCore::LaneOf(Lane lane) {
  const auto number = static_cast<uint32_t>(lane);
  if (last_lane_ != nullptr && last_lane_number_ == number) return *last_lane_;
  last_lane_ = &lanes_[number];
  last_lane_number_ = number;
  return *last_lane_;
}

void ReceiverCore::Arrived(const Inbound& inbound) {
  LaneInfo& lane = LaneOf(inbound.token.lane);
  if (!lane.announced) {
    lane.open = true;
    lane.epoch = inbound.token.epoch;
  }
  ++lane.unsettled;
  ++unsettled_;
  unsettled_bytes_ += inbound.message.body_view().size();
}

absl::Status ReceiverCore::CheckToken(const Token& token,
                                      uint32_t incarnation) {
  if (closed_ && link_closed_) {
    return MakeStatus(absl::StatusCode::kAborted,
                      "{}: the receiver was closed: the broker delivers the "
                      "message again",
                      Name());
  }
  if (incarnation == incarnation_) {
    const auto number = static_cast<uint32_t>(token.lane);
    const bool known = (last_lane_ != nullptr && last_lane_number_ == number) ||
                       lanes_.contains(number);
    if (known && LaneOf(token.lane).open &&
        LaneOf(token.lane).epoch == token.epoch) {
      return absl::OkStatus();
    }
  }
  ++counts_.stale;
  return MakeStatus(absl::StatusCode::kAborted,
                    "{}: the connection or lane that the message came on is "
                    "gone: the broker delivers it again",
                    Name());
}

void ReceiverCore::Account(LaneInfo& lane, uint32_t n) {
  n = std::min(n, lane.unsettled);
  unsettled_bytes_ -= unsettled_ == 0 ? 0 : unsettled_bytes_ * n / unsettled_;
  unsettled_ -= std::min<uint64_t>(n, unsettled_);
  if (unsettled_ == 0) unsettled_bytes_ = 0;
  lane.unsettled -= n;
}

void ReceiverCore::PushOp(const Token& token, Verb verb,
                          std::string_view reason, std::string_view detail) {
  if (verb != Verb::kRenew) Account(LaneOf(token.lane), 1);
  if (options_.browse) return;
  ops_.push_back({token, verb, std::string(reason), std::string(detail)});
  switch (verb) {
    case Verb::kComplete:
      ++counts_.completed;
      break;
    case Verb::kAbandon:
      ++counts_.abandoned;
      break;
    case Verb::kDeadLetter:
      ++counts_.dead_lettered;
      break;
    default:
      break;
  }
}

void ReceiverCore::NudgeSettlements(size_t queued) {
  if (queued == 1) {
    endpoint_->MarkDirty(this);
    endpoint_->runner()->ScheduleAt(
        endpoint_, endpoint_->clock()->Steady() + kSettleDelay);
  } else if (queued == settle_batch_) {
    endpoint_->MarkDirty(this);
    endpoint_->Poke();
  }
}

absl::Status ReceiverCore::Settle(Inbound& inbound, uint32_t incarnation,
                                  Verb verb, std::string_view reason,
                                  std::string_view detail) {
  if (!options_.browse) {
    if (verb == Verb::kDefer && !Can(Capability::kDefer)) {
      return MakeStatus(absl::StatusCode::kUnimplemented,
                        "{}: this backend can't defer", Name());
    }
    if (verb == Verb::kAbandon && !Can(Capability::kBrokerRedelivery)) {
      return AbandonInPlace(inbound, incarnation);
    }
    if (verb == Verb::kDeadLetter && !Can(Capability::kDeadLetter)) {
      return DeadLetterByCopy(inbound, incarnation, reason, detail);
    }
  }
  size_t queued = 0;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
    PushOp(inbound.token, verb, reason, detail);
    queued = ops_.size();
  }
  NudgeSettlements(queued);
  return absl::OkStatus();
}

void ReceiverCore::CompleteMany(std::span<const Token> tokens,
                                uint32_t incarnation) {
  if (tokens.empty()) return;
  size_t before = 0;
  size_t after = 0;
  {
    MutexLock lock(&mu_);
    before = ops_.size();
    for (const Token& token : tokens) {
      if (CheckToken(token, incarnation).ok()) {
        PushOp(token, Verb::kComplete, {}, {});
      }
    }
    after = ops_.size();
  }
  if (before == 0 && after > 0) NudgeSettlements(1);
  if (before < settle_batch_ && after >= settle_batch_) {
    NudgeSettlements(settle_batch_);
  }
}

void ReceiverCore::Forget(const Token& token, uint32_t incarnation) {
  MutexLock lock(&mu_);
  if (incarnation != incarnation_) return;
  auto it = lanes_.find(static_cast<uint32_t>(token.lane));
  if (it != lanes_.end() && it->second.epoch == token.epoch) {
    Account(it->second, 1);
  }
}

void ReceiverCore::ForgetCurrent(const Token& token) {
  uint32_t incarnation = 0;
  {
    MutexLock lock(&mu_);
    incarnation = incarnation_;
  }
  Forget(token, incarnation);
}

absl::Status ReceiverCore::SettleConfirmed(Inbound& inbound,
                                           uint32_t incarnation, Verb verb,
                                           absl::Duration timeout,
                                           absl::Time* locked_until) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  if (options_.browse) return absl::OkStatus();
  auto waiter = std::make_shared<Waiter>();
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
    PushOp(inbound.token, verb, {}, {});
    confirm_[inbound.token] = waiter;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  const absl::Time until = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (!waiter->done) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      confirm_.erase(inbound.token);
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: the broker did not confirm within {}", Name(),
                        absl::FormatDuration(timeout));
    }
    cv_.WaitFor(&mu_, left);
  }
  if (locked_until != nullptr) *locked_until = waiter->locked_until;
  return waiter->status;
}

void ReceiverCore::ScheduleRetry(Inbound inbound) {
  const Backoff backoff(options_.retry_min, options_.retry_max, 0.5);
  const absl::Time at =
      endpoint_->clock()->Steady() +
      backoff.Delay(inbound.attempts > 0 ? inbound.attempts - 1 : 0,
                    endpoint_->Random());
  Retry retry;
  retry.keyed =
      consumer_ == nullptr && ordered_ && inbound.message.has(Field::kKey);
  if (retry.keyed) {
    retry.key = KeyHash(inbound);
    auto& parked = blocked_keys_[retry.key];
    // What came behind it and was not handed out waits behind it.
    for (Inbound& later : ready_) {
      if (later.message.has(Field::kKey) && KeyHash(later) == retry.key) {
        parked.push_back(std::move(later));
        later.token.id = ~uint64_t{0};
      }
    }
    std::erase_if(ready_,
                  [](const Inbound& i) { return i.token.id == ~uint64_t{0}; });
  }
  retry.inbound = std::move(inbound);
  retries_.emplace(at, std::move(retry));
}

absl::Status ReceiverCore::AbandonInPlace(Inbound& inbound,
                                          uint32_t incarnation) {
  inbound.attempts += 1;
  if (options_.max_attempts > 0 && inbound.attempts >= options_.max_attempts) {
    return Settle(inbound, incarnation, Verb::kDeadLetter,
                  "MaxDeliveryCountExceeded",
                  fmt::format("abandoned {} times", inbound.attempts));
  }
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
    ++counts_.abandoned;
    inbound.redelivered = true;
    ScheduleRetry(std::move(inbound));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  return absl::OkStatus();
}

void ReceiverCore::RetryLater(Inbound inbound, uint32_t incarnation) {
  inbound.attempts += 1;
  inbound.redelivered = true;
  {
    MutexLock lock(&mu_);
    if (!CheckToken(inbound.token, incarnation).ok()) return;
    ScheduleRetry(std::move(inbound));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

// Null when the receiver or the bus is closed.
std::shared_ptr<SenderCore> ReceiverCore::DeadLetterSender() {
  {
    MutexLock lock(&mu_);
    if (dead_letter_sender_ != nullptr) return dead_letter_sender_;
  }
  std::shared_ptr<SenderCore> made = make_dead_letter_sender_();
  {
    MutexLock lock(&mu_);
    if (!closed_ && dead_letter_sender_ == nullptr) dead_letter_sender_ = made;
    if (dead_letter_sender_ == made) return made;
  }
  // Another thread was faster, or the receiver was closed meanwhile.
  if (made != nullptr) made->Close(absl::ZeroDuration()).IgnoreError();
  MutexLock lock(&mu_);
  return dead_letter_sender_;
}

absl::Status ReceiverCore::DeadLetterByCopy(Inbound& inbound,
                                            uint32_t incarnation,
                                            std::string_view reason,
                                            std::string_view detail) {
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
  }
  const std::shared_ptr<SenderCore> sender = DeadLetterSender();
  const absl::Status closed =
      MakeStatus(absl::StatusCode::kAborted,
                 "{}: not dead-lettered, since it is being closed: the broker "
                 "delivers the message again",
                 Name());
  if (sender == nullptr) return closed;
  Message copy = inbound.message;
  copy.set_property("dead-letter-reason", Value(reason));
  if (!detail.empty()) {
    copy.set_property("dead-letter-detail", Value(detail));
  }
  copy.set_property("dead-letter-source", Value(queue_.entity));
  copy.clear(Field::kPartition);
  std::vector<Message> one;
  one.push_back(std::move(copy));
  auto* batch = new SendBatchState(one);
  auto self = std::static_pointer_cast<ReceiverCore>(shared_from_this());
  auto kept = std::make_shared<Inbound>(std::move(inbound));
  batch->callback = [self, kept,
                     incarnation](std::span<const SendResult> results) {
    self->FinishDeadLetter(results.front(), std::move(*kept), incarnation);
  };
  if (!sender->GiveUnbounded(batch, absl::Seconds(30)).ok()) {
    batch->Unref();
    batch->Unref();
    return closed;
  }
  sender->Poke();
  return absl::OkStatus();
}

void ReceiverCore::FinishDeadLetter(const SendResult& result, Inbound inbound,
                                    uint32_t incarnation) {
  if (result.ok()) {
    size_t queued = 0;
    {
      MutexLock lock(&mu_);
      if (!CheckToken(inbound.token, incarnation).ok()) return;
      PushOp(inbound.token, Verb::kComplete, {}, {});
      --counts_.completed;
      ++counts_.dead_lettered;
      queued = ops_.size();
    }
    NudgeSettlements(queued);
    return;
  }
  endpoint_->Log(LogLevel::kError,
                 fmt::format("{}: not dead-lettered, will be tried again: {}",
                             Name(), MessageOf(result.status)));
  {
    MutexLock lock(&mu_);
    if (!CheckToken(inbound.token, incarnation).ok()) return;
    ScheduleRetry(std::move(inbound));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

// ---- In the strand.

void ReceiverCore::OnUp(driver::Connection* connection) {
  connection_ = connection;
  link_ = Link::kDown;
  open_at_ = absl::InfinitePast();
}

void ReceiverCore::OpenLink(absl::Time now) {
  if (link_ != Link::kDown || connection_ == nullptr || now < open_at_) return;
  {
    MutexLock lock(&mu_);
    if (closed_) return;
  }
  driver_.reset();
  driver::ReceiverSpec spec;
  spec.queue = queue_;
  spec.ordered = ordered_;
  spec.max_gap = options_.max_gap;
  spec.lane_grace = options_.lane_grace;
  spec.browse = options_.browse;
  auto opened = connection_->OpenReceiver(spec, this);
  if (!opened.ok()) {
    OnClosed(opened.status());
    return;
  }
  driver_ = *std::move(opened);
  link_ = Link::kOpening;
}

void ReceiverCore::OnOpened(const Capabilities& capabilities) {
  link_ = Link::kOpen;
  open_backoff_.Reset();
  const std::vector<std::string> missing =
      Missing(options_.needs, capabilities);
  capability_bits_.store(capabilities.bits, std::memory_order_release);
  refused_ = !missing.empty();
  MutexLock lock(&mu_);
  capabilities_ = capabilities;
  open_ = true;
  error_ = missing.empty()
               ? absl::OkStatus()
               : MakeStatus(absl::StatusCode::kUnimplemented,
                            "{}: the broker lacks {}", Name(), missing.front());
  cv_.NotifyAll();
  endpoint_->MarkDirty(this);
}

// What came before there was a consumer goes to it, ahead of what comes next.
void ReceiverCore::HandOverReady() {
  std::shared_ptr<DeliveryConsumer> consumer;
  std::vector<Inbound> early;
  uint32_t incarnation = 0;
  {
    MutexLock lock(&mu_);
    if (consumer_ == nullptr || ready_.empty() || paused_) return;
    consumer = consumer_;
    incarnation = incarnation_;
    std::move(ready_.begin(), ready_.end(), std::back_inserter(early));
    ready_.clear();
  }
  consumer->OnDeliveries(early, incarnation);
}

void ReceiverCore::OnDeliveries(std::span<Inbound> deliveries) {
  HandOverReady();
  std::shared_ptr<DeliveryConsumer> consumer;
  uint32_t incarnation = 0;
  bool release = false;
  {
    MutexLock lock(&mu_);
    const uint64_t bytes_before = unsettled_bytes_;
    for (const Inbound& d : deliveries) Arrived(d);
    const auto n = deliveries.size();
    granted_ -= std::min<uint64_t>(granted_, n);
    granted_bytes_ -= std::min(granted_bytes_, unsettled_bytes_ - bytes_before);
    counts_.received += n;
    incarnation = incarnation_;
    release = paused_;
    if (!release) consumer = consumer_;
    if (release) {
      for (const Inbound& d : deliveries) {
        PushOp(d.token, Verb::kRelease, {}, {});
      }
      endpoint_->MarkDirty(this);
    } else if (consumer == nullptr) {
      for (Inbound& d : deliveries) {
        if (!blocked_keys_.empty() && d.message.has(Field::kKey)) {
          auto it = blocked_keys_.find(KeyHash(d));
          if (it != blocked_keys_.end()) {
            it->second.push_back(std::move(d));
            continue;
          }
        }
        ready_.push_back(std::move(d));
      }
      if (waiting_ > 0) cv_.NotifyAll();
    }
  }
  if (consumer != nullptr) consumer->OnDeliveries(deliveries, incarnation);
}

void ReceiverCore::OnSettled(std::span<const Settled> settled) {
  MutexLock lock(&mu_);
  unconfirmed_ -= std::min<uint64_t>(unconfirmed_, settled.size());
  for (const Settled& s : settled) {
    if (s.status.code() == absl::StatusCode::kAborted) ++counts_.stale;
    if (confirm_.empty()) continue;
    auto it = confirm_.find(s.token);
    if (it == confirm_.end()) continue;
    it->second->done = true;
    it->second->status = s.status;
    it->second->locked_until = s.locked_until;
    confirm_.erase(it);
  }
  cv_.NotifyAll();
}

void ReceiverCore::OnLane(const LaneEvent& event) {
  std::shared_ptr<DeliveryConsumer> consumer;
  {
    MutexLock lock(&mu_);
    LaneInfo& lane = LaneOf(event.lane);
    switch (event.state) {
      case LaneState::kOpened:
        if (lane.stalled) --counts_.stalled_lanes;
        lane = {};
        lane.epoch = event.epoch;
        lane.open = lane.announced = true;
        lane.name = event.name;
        break;
      case LaneState::kClosing:
        lane.closing = true;
        lane.until = event.until;
        lanes_closing_ = true;
        consumer = consumer_;
        break;
      case LaneState::kClosed:
        consumer = consumer_;
        break;
      case LaneState::kStalled:
        lane.stalled = true;
        ++counts_.stalled_lanes;
        break;
      case LaneState::kResumed:
        if (lane.stalled) --counts_.stalled_lanes;
        lane.stalled = false;
        break;
    }
    if (event.state == LaneState::kClosing ||
        event.state == LaneState::kClosed) {
      DropBuffered(event.lane);
    }
    if (event.state == LaneState::kClosed) ForgetLane(event.lane);
  }
  if (consumer != nullptr) consumer->OnLaneClosing(event.lane, event.epoch);
  if (event.state == LaneState::kStalled) {
    endpoint_->Log(LogLevel::kError,
                   fmt::format("{}: lane {} is stalled: an unsettled message "
                               "holds back {} others",
                               Name(), event.name, options_.max_gap));
  }
  endpoint_->MarkDirty(this);
}

// What was not handed out of a lane that goes.
void ReceiverCore::DropBuffered(Lane number) {
  LaneInfo& lane = LaneOf(number);
  const auto gone = [&](const Inbound& i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (i.token.lane != number) return false;
    Account(lane, 1);
    return true;
  };
  std::erase_if(ready_, gone);
  for (auto& [key, parked] : blocked_keys_) std::erase_if(parked, gone);
  for (auto it = retries_.begin(); it != retries_.end();) {
    if (!gone(it->second.inbound)) {
      ++it;
      continue;
    }
    // Nobody else would free the key.
    auto blocked = blocked_keys_.find(it->second.key);
    if (it->second.keyed && blocked != blocked_keys_.end()) {
      for (Inbound& parked : blocked->second) {
        ready_.push_back(std::move(parked));
      }
      blocked_keys_.erase(blocked);
    }
    it = retries_.erase(it);
  }
}

void ReceiverCore::ForgetLane(Lane number) {
  LaneInfo& lane = LaneOf(number);
  Account(lane, lane.unsettled);
  if (lane.stalled) --counts_.stalled_lanes;
  last_lane_ = nullptr;
  lanes_.erase(static_cast<uint32_t>(number));
}

void ReceiverCore::OnDrained() {
  MutexLock lock(&mu_);
  granted_ = 0;
  granted_bytes_ = 0;
  drained_ = true;
  cv_.NotifyAll();
  endpoint_->MarkDirty(this);
}

void ReceiverCore::OnClosed(const absl::Status& why) {
  if (link_ == Link::kClosing) {
    link_ = Link::kClosed;
    MutexLock lock(&mu_);
    link_closed_ = true;
    open_ = false;
    cv_.NotifyAll();
    return;
  }
  link_ = Link::kDown;
  open_at_ =
      endpoint_->clock()->Steady() + open_backoff_.Next(endpoint_->Random());
  const absl::Status error =
      why.ok() ? absl::UnavailableError(
                     fmt::format("{}: the broker closed the link", Name()))
               : Annotate(why, Name());
  DropState(error);
  SetError(error);
  endpoint_->Log(LogLevel::kWarning, MessageOf(error));
  endpoint_->MarkDirty(this);
}

void ReceiverCore::OnDown(const absl::Status& why) {
  driver_.reset();
  connection_ = nullptr;
  const bool closing = link_ == Link::kClosing;
  link_ = closing || why.ok() ? Link::kClosed : Link::kDown;
  refused_ = false;
  DropState(why.ok() ? absl::UnavailableError("the receiver was closed") : why);
  if (!why.ok()) SetError(Annotate(why, Name()));
  if (link_ == Link::kClosed) {
    MutexLock lock(&mu_);
    link_closed_ = true;
    closed_ = closed_ || why.ok();
    cv_.NotifyAll();
  }
}

void ReceiverCore::SetError(const absl::Status& error) {
  MutexLock lock(&mu_);
  error_ = error;
  cv_.NotifyAll();
}

// Every token is stale from here on.
void ReceiverCore::DropState(const absl::Status& why) {
  std::shared_ptr<DeliveryConsumer> consumer;
  {
    MutexLock lock(&mu_);
    ++incarnation_;
    open_ = false;
    ready_.clear();
    ops_.clear();
    retries_.clear();
    blocked_keys_.clear();
    lanes_.clear();
    last_lane_ = nullptr;
    lanes_closing_ = false;
    granted_ = granted_bytes_ = 0;
    unsettled_ = unsettled_bytes_ = unconfirmed_ = 0;
    counts_.stalled_lanes = 0;
    drained_ = true;
    drain_asked_ = false;
    for (auto& [token, waiter] : confirm_) {
      waiter->done = true;
      waiter->status =
          MakeStatus(absl::StatusCode::kUnavailable,
                     "{}: the connection went before the broker confirmed: {}",
                     Name(), MessageOf(why));
    }
    confirm_.clear();
    consumer = consumer_;
    cv_.NotifyAll();
  }
  if (consumer != nullptr) consumer->OnLost();
}

void ReceiverCore::ReleaseBuffered() {
  MutexLock lock(&mu_);
  for (const Inbound& i : ready_) PushOp(i.token, Verb::kRelease, {}, {});
  ready_.clear();
  for (auto& [key, parked] : blocked_keys_) {
    for (const Inbound& i : parked) PushOp(i.token, Verb::kRelease, {}, {});
  }
  blocked_keys_.clear();
  for (auto& [at, retry] : retries_) {
    PushOp(retry.inbound.token, Verb::kRelease, {}, {});
  }
  retries_.clear();
}

absl::Time ReceiverCore::Pump(absl::Time now) {
  bool paused = false;
  bool close = false;
  std::vector<std::string> sessions;
  {
    MutexLock lock(&mu_);
    paused = paused_;
    close = close_link_;
    if (link_ == Link::kOpen) sessions.swap(sessions_wanted_);
  }
  OpenLink(now);
  HandOverReady();
  absl::Time next = absl::InfiniteFuture();
  if (link_ == Link::kDown && connection_ != nullptr) next = open_at_;
  if (link_ == Link::kOpen) {
    for (const std::string& session : sessions) {
      absl::Status status = driver_->AcceptLane(session);
      if (!status.ok()) SetError(Annotate(status, Name()));
    }
    if (close || paused) ReleaseBuffered();
    next = std::min(next, RunRetries(now));
    SendSettlements();
    next = std::min(next, CloseLanes(now));
    if (paused) {
      AskToDrain();
    } else if (!close && !refused_) {
      GrantCredit();
    }
  }
  if (close && link_ != Link::kClosing && link_ != Link::kClosed) {
    if (driver_ != nullptr && link_ != Link::kDown) {
      link_ = Link::kClosing;
      driver_->Close();
    } else {
      link_ = Link::kClosing;
      OnClosed(absl::OkStatus());
    }
  }
  return next;
}

void ReceiverCore::AskToDrain() {
  if (drain_asked_) return;
  drain_asked_ = true;
  {
    MutexLock lock(&mu_);
    drained_ = false;
  }
  driver_->Drain();
}

void ReceiverCore::SendSettlements() {
  std::vector<Op> ops;
  {
    MutexLock lock(&mu_);
    if (ops_.empty()) return;
    ops.swap(ops_);
    unconfirmed_ += ops.size();
  }
  settle_scratch_.clear();
  settle_scratch_.reserve(ops.size());
  for (const Op& op : ops) {
    settle_scratch_.push_back(
        {op.token, op.verb, nullptr, op.reason, op.detail});
  }
  driver_->Settle(settle_scratch_);
  ops.clear();
  MutexLock lock(&mu_);
  if (ops_.empty()) ops_.swap(ops);  // keep the memory
}

void ReceiverCore::GrantCredit() {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  {
    MutexLock lock(&mu_);
    // After a pause, what was granted must have come back first.
    if (drain_asked_ && !drained_) return;
    drain_asked_ = false;
    const uint64_t in_use = granted_ + unsettled_;
    const uint64_t bytes_in_use = granted_bytes_ + unsettled_bytes_;
    if (in_use < options_.credit) messages = options_.credit - in_use;
    if (bytes_in_use < options_.credit_bytes) {
      bytes = options_.credit_bytes - bytes_in_use;
    }
    const bool enough = messages >= std::max(1u, options_.credit / 4) ||
                        bytes >= options_.credit_bytes / 4;
    if (!enough || (messages == 0 && bytes == 0)) return;
    granted_ += messages;
    granted_bytes_ += bytes;
  }
  driver_->Grant(driver::kAllLanes, static_cast<uint32_t>(messages), bytes);
}

absl::Time ReceiverCore::RunRetries(absl::Time now) {
  std::vector<Inbound> due;
  std::shared_ptr<DeliveryConsumer> consumer;
  uint32_t incarnation = 0;
  absl::Time next = absl::InfiniteFuture();
  {
    MutexLock lock(&mu_);
    consumer = consumer_;
    incarnation = incarnation_;
    while (!retries_.empty() && retries_.begin()->first <= now) {
      Retry retry = std::move(retries_.begin()->second);
      retries_.erase(retries_.begin());
      if (consumer != nullptr) {
        due.push_back(std::move(retry.inbound));
        continue;
      }
      ready_.push_back(std::move(retry.inbound));
      if (!retry.keyed) continue;
      auto it = blocked_keys_.find(retry.key);
      if (it == blocked_keys_.end()) continue;
      for (Inbound& parked : it->second) ready_.push_back(std::move(parked));
      blocked_keys_.erase(it);
    }
    if (!retries_.empty()) next = retries_.begin()->first;
    if (!ready_.empty() && waiting_ > 0) cv_.NotifyAll();
  }
  if (!due.empty()) consumer->OnDeliveries(due, incarnation);
  return next;
}

absl::Time ReceiverCore::CloseLanes(absl::Time now) {
  std::vector<std::pair<Lane, uint32_t>> drop;
  absl::Time next = absl::InfiniteFuture();
  {
    MutexLock lock(&mu_);
    if (!lanes_closing_) return next;
    lanes_closing_ = false;
    for (auto& [number, lane] : lanes_) {
      if (!lane.closing) continue;
      if (lane.unsettled == 0 || now >= lane.until) {
        drop.emplace_back(Lane{number}, lane.epoch);
        lane.closing = false;
        lane.open = false;
        Account(lane, lane.unsettled);
      } else {
        lanes_closing_ = true;
        next = std::min(next, lane.until);
      }
    }
  }
  for (const auto& [lane, epoch] : drop) driver_->DropLane(lane, epoch);
  return next;
}

// ---- Any thread.

void ReceiverCore::Pause() {
  {
    MutexLock lock(&mu_);
    paused_ = true;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

absl::Status ReceiverCore::Flush(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  const absl::Time until = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (!ops_.empty() || unconfirmed_ > 0) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: {} settlements not confirmed within {}", Name(),
                        ops_.size() + unconfirmed_,
                        absl::FormatDuration(timeout));
    }
    cv_.WaitFor(&mu_, left);
  }
  return absl::OkStatus();
}

absl::Status ReceiverCore::Close(absl::Duration timeout) {
  const absl::Time until = absl::Now() + timeout;
  std::shared_ptr<SenderCore> dead_letter;
  {
    MutexLock lock(&mu_);
    if (closed_) return absl::OkStatus();
    dead_letter = dead_letter_sender_;
  }
  absl::Status status = absl::OkStatus();
  if (dead_letter != nullptr) status = dead_letter->Close(timeout);
  {
    MutexLock lock(&mu_);
    closed_ = true;
    close_link_ = true;
    cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  if (CheckMayBlock(*endpoint_).ok()) {
    MutexLock lock(&mu_);
    while (!link_closed_ && open_) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) {
        status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                            "{}: not closed within {}", Name(),
                            absl::FormatDuration(timeout));
        break;
      }
      cv_.WaitFor(&mu_, left);
    }
  }
  endpoint_->Detach(shared_from_this());
  return status;
}

absl::Status ReceiverCore::WaitOpen(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const absl::Time until = absl::Now() + timeout;
  endpoint_->Poke();
  MutexLock lock(&mu_);
  for (;;) {
    if (closed_) return ReceiveError();
    if (open_ && error_.ok()) return absl::OkStatus();
    if (IsPermanent(error_)) return error_;
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: not open within {}{}{}", Name(),
                        absl::FormatDuration(timeout),
                        error_.ok() ? "" : "; last error: ", MessageOf(error_));
    }
    cv_.WaitFor(&mu_, left);
  }
}

absl::StatusOr<std::vector<Delivery>> ReceiverCore::ReceiveDeferred(
    std::vector<int64_t> positions, absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  TIELINE_RETURN_IF_ERROR(WaitOpen(timeout));
  struct State {
    Mutex mu;
    Condition cv;
    bool done = false;
    driver::Reply reply;
    uint32_t incarnation = 0;
  };
  auto state = std::make_shared<State>();
  driver::Request request;
  request.op = driver::Request::Op::kReceiveDeferred;
  request.queue = queue_;
  request.numbers = std::move(positions);
  request.deadline = endpoint_->clock()->Steady() + timeout;
  auto self = std::static_pointer_cast<ReceiverCore>(shared_from_this());
  endpoint_->Ask(
      std::move(request),
      [state, self](driver::Reply reply) {
        uint32_t incarnation = 0;
        {
          MutexLock lock(&self->mu_);
          incarnation = self->incarnation_;
          for (const Inbound& d : reply.inbound) self->Arrived(d);
        }
        MutexLock lock(&state->mu);
        state->reply = std::move(reply);
        state->incarnation = incarnation;
        state->done = true;
        state->cv.NotifyAll();
      },
      [self] {
        return self->link_ == Link::kOpen ? self->driver_.get() : nullptr;
      });
  const absl::Time until = absl::Now() + timeout + kAnswerGrace;
  MutexLock lock(&state->mu);
  while (!state->done) {
    if (absl::Now() >= until) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: no answer within {}", Name(),
                        absl::FormatDuration(timeout));
    }
    state->cv.WaitFor(&state->mu, until - absl::Now());
  }
  TIELINE_RETURN_IF_ERROR(state->reply.status);
  std::vector<Delivery> deliveries;
  for (Inbound& d : state->reply.inbound) {
    deliveries.push_back(MakeDelivery(std::move(d), state->incarnation));
  }
  return deliveries;
}

absl::Status ReceiverCore::AcceptSession(std::string name) {
  if (!Can(Capability::kSessions)) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      "{}: this backend has no sessions", Name());
  }
  {
    MutexLock lock(&mu_);
    sessions_wanted_.push_back(std::move(name));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  return absl::OkStatus();
}

absl::Status ReceiverCore::last_error() const {
  {
    MutexLock lock(&mu_);
    if (!error_.ok() || open_) return error_;
  }
  return endpoint_->last_error();
}

Capabilities ReceiverCore::capabilities() const {
  MutexLock lock(&mu_);
  return capabilities_;
}

bool ReceiverCore::Can(Capability c) const {
  Capabilities now;
  now.bits = capability_bits_.load(std::memory_order_acquire);
  return now.has(c);
}

bool ReceiverCore::WouldRetry(uint32_t attempts) const {
  return options_.max_attempts == 0 || attempts + 1 < options_.max_attempts;
}

std::string ReceiverCore::LaneName(Lane lane) const {
  MutexLock lock(&mu_);
  auto it = lanes_.find(static_cast<uint32_t>(lane));
  return it == lanes_.end() ? std::string() : it->second.name;
}

ReceiverMetrics ReceiverCore::metrics() const {
  MutexLock lock(&mu_);
  ReceiverMetrics m = counts_;
  m.queue = queue_.name;
  m.broker = endpoint_->broker().name;
  m.unsettled = unsettled_;
  return m;
}

}  // namespace tieline::inline v0
