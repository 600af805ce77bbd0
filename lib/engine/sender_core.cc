#include "lib/engine/sender_core.h"

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <utility>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {

using driver::Fate;
using driver::Outcome;

bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

absl::Status CheckMayBlock(const Endpoint& endpoint) {
  if (!endpoint.runner()->OnThread()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a blocking call was made from a callback; use the asynchronous one, or "
      "give BusOptions an executor");
}

SenderCore::SenderCore(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
                       SenderOptions options, std::string producer)
    : endpoint_(std::move(endpoint)),
      queue_(std::move(queue)),
      options_(std::move(options)),
      producer_(std::move(producer)),
      ordered_(queue_.ordered == Order::kPerKey),
      backoff_(absl::Milliseconds(10), absl::Seconds(2), 0.5),
      budget_(endpoint_->options().retry_budget.ratio,
              endpoint_->options().retry_budget.reserve,
              endpoint_->options().retry_budget.per_second),
      open_backoff_(endpoint_->options().reconnect.min_delay,
                    endpoint_->options().reconnect.max_delay,
                    endpoint_->options().reconnect.jitter),
      capabilities_(endpoint_->driver().capabilities()) {}

SenderCore::~SenderCore() = default;

std::string SenderCore::Name() const {
  return fmt::format("queue {} (broker {}, entity {})", queue_.name,
                     endpoint_->broker().name, queue_.entity);
}

void SenderCore::StampIds(SendBatchState* batch) {
  if (!options_.stamp_ids) return;
  const size_t n = batch->results.size();
  uint64_t id = next_id_.fetch_add(n, std::memory_order_relaxed);
  std::array<char, 64> text;
  const size_t prefix = std::min(producer_.size(), size_t{40});
  std::copy_n(producer_.data(), prefix, text.data());
  text[prefix] = '-';
  for (SendResult& r : batch->results) {
    char* out = text.data() + prefix + 1;
    // Base 32 in a fixed order of digits, without leading zeros.
    constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<char, 16> digits;
    size_t count = 0;
    uint64_t v = id++;
    do {
      digits[count++] = kDigits[v & 31];
      v >>= 5;
    } while (v != 0);
    while (count > 0) *out++ = digits[--count];
    driver::StampId(r.message,
                    {text.data(), static_cast<size_t>(out - text.data())});
  }
}

absl::Status SenderCore::CheckOpen() const {
  if (!closed_) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "{}: the sender is closed", Name());
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
  pending_ += batch->results.size();
  pending_bytes_ += batch->bytes;
  counts_.sent += batch->results.size();
  incoming_.push_back(batch);
}

namespace {

void CountBytes(SendBatchState* batch) {
  uint64_t bytes = 0;
  for (const SendResult& r : batch->results) {
    bytes += r.message.size_estimate();
  }
  batch->bytes = bytes;
}

}  // namespace

absl::Status SenderCore::Give(SendBatchState* batch, absl::Duration timeout) {
  CountBytes(batch);
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckOpen());
    if (!HasRoom(*batch)) {
      return MakeStatus(absl::StatusCode::kResourceExhausted,
                        "{}: {} messages are on their way, the bound is {}: "
                        "send more slowly or raise max_pending",
                        Name(), pending_, options_.max_pending);
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
    const bool wait = !HasRoom(*batch);
    const absl::Time until =
        wait ? absl::Now() + timeout : absl::InfiniteFuture();
    while (!closed_ && !HasRoom(*batch)) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return MakeStatus(absl::StatusCode::kResourceExhausted,
                          "{}: no room within {} ({} messages on their way)",
                          Name(), absl::FormatDuration(timeout), pending_);
      }
      room_cv_.WaitFor(&mu_, left);
    }
    TIELINE_RETURN_IF_ERROR(CheckOpen());
    if (wait) timeout = std::max(until - absl::Now(), absl::Milliseconds(1));
    Enqueue(batch, timeout);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

absl::Status SenderCore::GiveUnbounded(SendBatchState* batch,
                                       absl::Duration timeout) {
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckOpen());
    Enqueue(batch, timeout);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

void SenderCore::SetError(const absl::Status& error) {
  MutexLock lock(&mu_);
  error_ = error;
  room_cv_.NotifyAll();
}

absl::Status SenderCore::last_error() const {
  {
    MutexLock lock(&mu_);
    if (!error_.ok() || open_) return error_;
  }
  return endpoint_->last_error();
}

// ---- In the strand.

void SenderCore::OnUp(driver::Connection* connection) {
  connection_ = connection;
  link_ = Link::kDown;
  open_at_ = absl::InfinitePast();
}

void SenderCore::OpenLink(absl::Time now) {
  if (link_ != Link::kDown || connection_ == nullptr || now < open_at_) return;
  driver_.reset();
  driver::SenderSpec spec;
  spec.queue = queue_;
  spec.ordered = ordered_;
  auto opened = connection_->OpenSender(spec, this);
  if (!opened.ok()) {
    OnClosed(opened.status());
    return;
  }
  driver_ = *std::move(opened);
  link_ = Link::kOpening;
}

void SenderCore::OnOpened(const Capabilities& capabilities) {
  link_ = Link::kOpen;
  blocked_ = false;
  const bool keyed =
      ordered_ && !capabilities.has(Capability::kOrderedPipelining);
  // What is in flight or waits was admitted by the rule of the first link.
  if (in_flight_ == 0 && window_.keys() == 0) keyed_ = keyed;
  open_backoff_.Reset();
  const std::vector<std::string> missing =
      Missing(options_.needs, capabilities);
  refused_ = missing.empty() ? absl::OkStatus()
                             : MakeStatus(absl::StatusCode::kUnimplemented,
                                          "{}: the broker lacks {}", Name(),
                                          missing.front());
  {
    MutexLock lock(&mu_);
    capabilities_ = capabilities;
    open_ = true;
    error_ = refused_;
    room_cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
}

void SenderCore::OnSendable() {
  blocked_ = false;
  endpoint_->MarkDirty(this);
}

void SenderCore::OnClosed(const absl::Status& why) {
  if (link_ == Link::kClosing) {
    link_ = Link::kClosed;
    MutexLock lock(&mu_);
    link_closed_ = true;
    room_cv_.NotifyAll();
    return;
  }
  link_ = Link::kDown;
  open_at_ =
      endpoint_->clock()->Steady() + open_backoff_.Next(endpoint_->Random());
  const absl::Status error =
      why.ok() ? absl::UnavailableError(
                     fmt::format("{}: the broker closed the link", Name()))
               : Annotate(why, Name());
  {
    MutexLock lock(&mu_);
    open_ = false;
  }
  SetError(error);
  endpoint_->Log(LogLevel::kWarning, MessageOf(error));
  refused_ = IsPermanent(error) ? error : absl::OkStatus();
  endpoint_->MarkDirty(this);
}

void SenderCore::OnDown(const absl::Status& why) {
  driver_.reset();
  connection_ = nullptr;
  const bool closing = link_ == Link::kClosing;
  link_ = closing ? Link::kClosed : Link::kDown;
  {
    MutexLock lock(&mu_);
    open_ = false;
    if (closing) link_closed_ = true;
    if (why.ok()) closed_ = true;  // for good: nobody pumps it any more
    room_cv_.NotifyAll();
  }
  if (!why.ok()) SetError(Annotate(why, Name()));
  refused_ = IsPermanent(why) ? Annotate(why, Name()) : absl::OkStatus();
  if (why.ok()) ReleaseAll();
}

void SenderCore::TakeIncoming() {
  std::vector<SendBatchState*> incoming;
  {
    MutexLock lock(&mu_);
    incoming.swap(incoming_);
  }
  for (SendBatchState* batch : incoming) {
    Hold(batch);
    deadlines_.emplace_hint(deadlines_.end(), batch->deadline, batch);
    queue_batches_.push_back(batch);
  }
}

absl::Time SenderCore::Pump(absl::Time now) {
  TakeIncoming();
  bool cancel = false;
  bool close_link = false;
  {
    MutexLock lock(&mu_);
    cancel = cancel_;
    close_link = close_link_;
  }
  Expire(now);
  if (cancel) CancelAll();
  if (close_link && link_ != Link::kClosing && link_ != Link::kClosed) {
    if (driver_ != nullptr && link_ != Link::kDown) {
      driver_->Close();
      link_ = Link::kClosing;
    } else {
      link_ = Link::kClosing;
      OnClosed(absl::OkStatus());
    }
  }
  OpenLink(now);
  if (!refused_.ok()) FailPermanently(refused_);
  if (link_ == Link::kOpen && refused_.ok()) {
    Submit(now);
  } else {
    PurgeResolved();
  }
  EndTurn();
  absl::Time next = absl::InfiniteFuture();
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (link_ == Link::kDown && connection_ != nullptr) {
    next = std::min(next, open_at_);
  }
  // What waits for an outcome, for room or for the link is told by them.
  if (!resends_.empty() && link_ == Link::kOpen && !blocked_ &&
      resend_at_ > now) {
    next = std::min(next, resend_at_);
  }
  return next;
}

uint64_t SenderCore::KeyHash(const SendResult& result) {
  return std::hash<std::string_view>()(result.message.key());
}

bool SenderCore::Before(const SendResult* a, const SendResult* b) {
  if (a->batch_ != b->batch_) return a->batch_->sequence < b->batch_->sequence;
  return a < b;
}

bool SenderCore::TakeResends(absl::Time now) {
  if (resends_.empty()) return true;
  // In order, with nothing newer overtaking: all of them, once none of theirs
  // is at the driver. Where each key has a window of one they go one by one.
  if (ordered_ && !keyed_ && in_flight_ > 0) return false;
  if (now < resend_at_) return !ordered_ || keyed_;
  std::sort(resends_.begin(), resends_.end(), Before);
  size_t taken = 0;
  for (SendResult* r : resends_) {
    if (r->attempts > 1 && !budget_.Take(now)) {
      resend_at_ = now + budget_.Wait();
      break;
    }
    ++taken;
  }
  const auto end = resends_.begin() + static_cast<std::ptrdiff_t>(taken);
  turn_counts_.resent += taken;
  ready_.insert(ready_.begin(), resends_.begin(), end);
  resends_.erase(resends_.begin(), end);
  return resends_.empty() || !ordered_ || keyed_;
}

void SenderCore::FillReady() {
  while (!queue_batches_.empty() &&
         ready_.size() + in_flight_ < options_.window) {
    SendBatchState* batch = queue_batches_.front();
    if (batch->next == batch->results.size()) {
      queue_batches_.pop_front();
      continue;
    }
    SendResult& r = batch->results[batch->next++];
    if (batch->next == batch->results.size()) queue_batches_.pop_front();
    if ((r.flags_ & SendBatchState::kResolved) != 0) {
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

void SenderCore::Submit(absl::Time now) {
  if (blocked_) return;
  const bool may_send_new = TakeResends(now);
  for (;;) {
    if (may_send_new) FillReady();
    scratch_.clear();
    while (!ready_.empty() &&
           (ready_.front()->flags_ & SendBatchState::kResolved) != 0) {
      SendResult* r = ready_.front();
      ready_.pop_front();
      LeaveKey(*r);
      Drop(*r);
    }
    const size_t room =
        options_.window > in_flight_ ? options_.window - in_flight_ : 0;
    for (size_t i = 0; i < ready_.size() && scratch_.size() < room; ++i) {
      SendResult* r = ready_[i];
      if ((r->flags_ & SendBatchState::kResolved) != 0) break;
      scratch_.push_back({reinterpret_cast<uint64_t>(r), &r->message});
    }
    if (scratch_.empty()) return;
    const size_t taken = driver_->Submit(scratch_, false);
    size_t first = 0;
    for (size_t i = 0; i < taken; ++i) {
      SendResult* r = ready_[i];
      r->flags_ |= SendBatchState::kAtDriver;
      if (r->attempts++ == 0) ++first;
      if (r->batch_->observer != nullptr) {
        r->batch_->observer->OnSubmitted(*r->batch_, *r);
      }
    }
    ready_.erase(ready_.begin(),
                 ready_.begin() + static_cast<std::ptrdiff_t>(taken));
    in_flight_ += static_cast<uint32_t>(taken);
    budget_.OnFirstSends(first);
    if (taken < scratch_.size()) {
      blocked_ = true;
      return;
    }
  }
}

void SenderCore::OnOutcomes(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) OnOutcome(outcome);
  EndTurn();
  endpoint_->MarkDirty(this);
}

void SenderCore::EndTurn() {
  SettleCounts();
  if (turn_observer_ != nullptr) {
    std::exchange(turn_observer_, nullptr)->OnTurnEnd();
  }
  for (SendBatchState* batch : std::exchange(done_, {})) batch->Unref();
}

void SenderCore::OnOutcome(const Outcome& outcome) {
  auto& r = *reinterpret_cast<SendResult*>(outcome.cookie);
  --in_flight_;
  // A resolved one is only read: whoever waited may be copying it.
  const bool resolved = (r.flags_ & SendBatchState::kResolved) != 0;
  if (!resolved) {
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
  SendBatchState* batch = r.batch_;
  // Nothing points to the result from here on: whoever waits may move it out.
  const bool last = --batch->held == 0;
  if (!resolved) {
    r.position = outcome.position;
    Resolve(r,
            outcome.fate == Fate::kAccepted ? SendState::kAccepted
                                            : SendState::kRejected,
            outcome.why);
  }
  if (last) LetGo(batch);
}

// An observer may try again, unless later messages of the key went ahead.
bool SenderCore::WillRetryRejected(SendResult& r, const Outcome& outcome) {
  SendBatchState* batch = r.batch_;
  if (batch->observer == nullptr || (ordered_ && !keyed_)) return false;
  return batch->observer->OnRejected(*batch, r, outcome.why);
}

void SenderCore::Resend(SendResult& r, const Outcome& outcome) {
  r.status = outcome.why;
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
void SenderCore::Resolve(SendResult& r, SendState state, absl::Status status) {
  r.state = state;
  r.status = std::move(status);
  r.flags_ |= SendBatchState::kResolved;
  ++resolved_now_;
  switch (state) {
    case SendState::kAccepted:
      ++turn_counts_.accepted;
      break;
    case SendState::kRejected:
      ++turn_counts_.rejected;
      break;
    default:
      ++turn_counts_.failed;
      break;
  }
  SendBatchState* batch = r.batch_;
  if (batch->observer != nullptr) {
    turn_observer_ = batch->observer;
    batch->observer->OnResolved(*batch, r);
  }
  if (--batch->unresolved == 0) FinishBatch(batch);
}

// Once for each that was admitted, with the last pointer to it.
void SenderCore::LeaveKey(SendResult& r) {
  if ((r.flags_ & SendBatchState::kKeyed) == 0) return;
  const uint64_t key = KeyHash(r);
  SendResult* next = nullptr;
  while (window_.Release(key, &next)) {
    if ((next->flags_ & SendBatchState::kResolved) == 0) {
      ready_.push_back(next);
      return;
    }
    Drop(*next);
  }
}

void SenderCore::Drop(SendResult& r) {
  SendBatchState* batch = r.batch_;
  if (--batch->held == 0) LetGo(batch);
}

void SenderCore::Hold(SendBatchState* batch) {
  batch->older = newest_;
  if (newest_ != nullptr) newest_->newer = batch;
  newest_ = batch;
}

void SenderCore::LetGo(SendBatchState* batch) {
  if (batch->older != nullptr) batch->older->newer = batch->newer;
  if (batch->newer != nullptr) {
    batch->newer->older = batch->older;
  } else {
    newest_ = batch->older;
  }
  batch->Unref();
}

// While nothing can be submitted, what has expired must not pile up.
void SenderCore::PurgeResolved() {
  const auto resolved = [](const SendResult* r) {
    return (r->flags_ & SendBatchState::kResolved) != 0;
  };
  while (!ready_.empty() && resolved(ready_.front())) {
    SendResult* r = ready_.front();
    ready_.pop_front();
    LeaveKey(*r);
    Drop(*r);
  }
  while (!queue_batches_.empty() && queue_batches_.front()->unresolved == 0) {
    SendBatchState* batch = queue_batches_.front();
    queue_batches_.pop_front();
    const auto rest =
        static_cast<uint32_t>(batch->results.size() - batch->next);
    batch->next = batch->results.size();
    batch->held -= rest;
    if (batch->held == 0) LetGo(batch);
  }
}

// The handle is gone for good, and the driver's with it.
void SenderCore::ReleaseAll() {
  TakeIncoming();
  CancelAll();
  EndTurn();
  ready_.clear();
  resends_.clear();
  queue_batches_.clear();
  window_ = {};
  in_flight_ = 0;
  while (newest_ != nullptr) LetGo(newest_);
}

void SenderCore::FinishBatch(SendBatchState* batch) {
  resolved_bytes_now_ += batch->bytes;
  auto [begin, end] = deadlines_.equal_range(batch->deadline);
  for (auto it = begin; it != end; ++it) {
    if (it->second == batch) {
      deadlines_.erase(it);
      break;
    }
  }
  if (batch->observer != nullptr) {
    done_.push_back(batch);
  } else if (!batch->callback) {
    // Whoever waits may be gone before Finish has returned.
    batch->Ref();
    finished_.push_back(batch);
  } else {
    CallBack(batch);
  }
}

// The waiting party's reference goes with the callback.
void SenderCore::CallBack(SendBatchState* batch) {
  std::function<void()> call = [batch, endpoint = endpoint_] {
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

void SenderCore::SettleCounts() {
  if (resolved_now_ == 0 && turn_counts_.resent == 0) return;
  {
    MutexLock lock(&mu_);
    pending_ -= resolved_now_;
    pending_bytes_ -= resolved_bytes_now_;
    resolved_now_ = 0;
    resolved_bytes_now_ = 0;
    counts_.accepted += turn_counts_.accepted;
    counts_.rejected += turn_counts_.rejected;
    counts_.failed += turn_counts_.failed;
    counts_.resent += turn_counts_.resent;
    turn_counts_ = {};
    room_cv_.NotifyAll();
  }
  // Only now: whoever has a result finds the room that it took free again.
  for (SendBatchState* batch : finished_) {
    batch->Finish();
    batch->Unref();
  }
  finished_.clear();
}

void SenderCore::Expire(absl::Time now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    SendBatchState* batch = deadlines_.begin()->second;
    const absl::Status last = last_error();
    const std::string because =
        last.ok() ? std::string()
                  : fmt::format("; last error: {}", MessageOf(last));
    batch->Ref();
    for (SendResult& r : batch->results) {
      if ((r.flags_ & SendBatchState::kResolved) != 0) continue;
      const bool in_doubt = (r.flags_ & (SendBatchState::kAtDriver |
                                         SendBatchState::kMaybeTaken)) != 0;
      if (in_doubt) {
        Resolve(r, SendState::kUnknown,
                MakeStatus(absl::StatusCode::kDeadlineExceeded,
                           "{}: sent, and no answer came in time: the broker "
                           "may have it{}",
                           Name(), because));
      } else if (r.attempts > 0) {
        const absl::Status why = std::exchange(r.status, absl::OkStatus());
        Resolve(r, SendState::kNotSent, Annotate(why, Name()));
      } else {
        Resolve(
            r, SendState::kNotSent,
            MakeStatus(last.ok() ? absl::StatusCode::kResourceExhausted
                       : IsPermanent(last) ? last.code()
                                           : absl::StatusCode::kUnavailable,
                       "{}: not sent before its deadline{}", Name(), because));
      }
    }
    // What waits to be sent again is pointed to by nothing else.
    for (SendResult*& r : resends_) {
      if ((r->flags_ & SendBatchState::kResolved) == 0) continue;
      LeaveKey(*r);
      Drop(*std::exchange(r, nullptr));
    }
    std::erase(resends_, nullptr);
    batch->Unref();
  }
}

void SenderCore::CancelAll() {
  std::vector<SendBatchState*> all;
  for (auto& [deadline, batch] : deadlines_) all.push_back(batch);
  for (SendBatchState* batch : all) {
    batch->Ref();
    for (SendResult& r : batch->results) {
      if ((r.flags_ & SendBatchState::kResolved) != 0) continue;
      const bool in_doubt = (r.flags_ & (SendBatchState::kAtDriver |
                                         SendBatchState::kMaybeTaken)) != 0;
      Resolve(r, in_doubt ? SendState::kUnknown : SendState::kNotSent,
              MakeStatus(absl::StatusCode::kCancelled,
                         "{}: the sender was closed", Name()));
    }
    batch->Unref();
  }
}

void SenderCore::FailPermanently(const absl::Status& why) {
  std::vector<SendBatchState*> all;
  for (auto& [deadline, batch] : deadlines_) {
    if (batch->observer == nullptr) all.push_back(batch);
  }
  for (SendBatchState* batch : all) {
    batch->Ref();
    for (SendResult& r : batch->results) {
      constexpr uint8_t kSkip =
          SendBatchState::kResolved | SendBatchState::kAtDriver;
      if ((r.flags_ & kSkip) != 0) continue;
      Resolve(r,
              (r.flags_ & SendBatchState::kMaybeTaken) != 0
                  ? SendState::kUnknown
                  : SendState::kNotSent,
              why);
    }
    batch->Unref();
  }
  for (SendResult*& r : resends_) {
    if ((r->flags_ & SendBatchState::kResolved) == 0) continue;
    LeaveKey(*r);
    Drop(*std::exchange(r, nullptr));
  }
  std::erase(resends_, nullptr);
  SettleCounts();
}

// ---- Any thread.

absl::Status SenderCore::Flush(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const absl::Time until = absl::Now() + timeout;
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  MutexLock lock(&mu_);
  while (pending_ > 0) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: {} messages without a result after {}", Name(),
                        pending_, absl::FormatDuration(timeout));
    }
    room_cv_.WaitFor(&mu_, left);
  }
  return absl::OkStatus();
}

absl::Status SenderCore::Close(absl::Duration timeout) {
  const absl::Time until = absl::Now() + timeout;
  {
    MutexLock lock(&mu_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    room_cv_.NotifyAll();
  }
  absl::Status status = absl::OkStatus();
  if (timeout > absl::ZeroDuration()) status = Flush(timeout);
  {
    MutexLock lock(&mu_);
    cancel_ = true;
    close_link_ = true;
    if (status.ok() && pending_ > 0) {
      status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                          "{}: closed with {} messages without a result",
                          Name(), pending_);
    }
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  if (CheckMayBlock(*endpoint_).ok()) {
    MutexLock lock(&mu_);
    while (!link_closed_ && open_) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      room_cv_.WaitFor(&mu_, left);
    }
  }
  endpoint_->Detach(shared_from_this());
  return status;
}

absl::Status SenderCore::WaitOpen(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const absl::Time until = absl::Now() + timeout;
  endpoint_->Poke();
  MutexLock lock(&mu_);
  for (;;) {
    TIELINE_RETURN_IF_ERROR(CheckOpen());
    if (open_ && error_.ok()) return absl::OkStatus();
    if (IsPermanent(error_)) return error_;
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: not open within {}{}{}", Name(),
                        absl::FormatDuration(timeout),
                        error_.ok() ? "" : "; last error: ", MessageOf(error_));
    }
    room_cv_.WaitFor(&mu_, left);
  }
}

Capabilities SenderCore::capabilities() const {
  MutexLock lock(&mu_);
  return capabilities_;
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
