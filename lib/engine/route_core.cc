#include "lib/engine/route_core.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <utility>

#include "lib/base/deadline.h"
#include "lib/base/status.h"
#include "lib/engine/route_steps.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Token;
using driver::Verb;

namespace {

// A clock is read for every so many messages of a batch.
constexpr size_t kClockEvery = 32;
// Handed over together, at most: the first need not wait for the last.
constexpr size_t kHandOver = 8;

uint64_t TokenHash(const Token& t, uint32_t incarnation) {
  return absl::Hash<std::tuple<uint64_t, uint64_t, uint32_t>>()(
      {static_cast<uint64_t>(t.lane) << 32 | t.epoch, t.id, incarnation});
}

// A key, as one leg delivers it.
uint64_t KeyHash(const Inbound& inbound, uint32_t incarnation) {
  return std::hash<std::string_view>()(inbound.message.key()) +
         LaneTable::NumberOf(incarnation);
}

// Says in the message that newer ones of its key may have gone before it.
constexpr std::string_view kLateProperty = "tieline-late";

}  // namespace

RouteCore::RouteCore(RouteConfig config, std::shared_ptr<ReceiverCore> source,
                     std::shared_ptr<SenderCore> destination,
                     Transform transform)
    : config_(std::move(config)),
      source_(std::move(source)),
      destination_(std::move(destination)),
      transform_(std::move(transform)),
      changes_(!config_.steps.empty() || transform_ != nullptr),
      ordered_(source_->queue().ordered == Order::kPerKey) {
  metrics_.route = config_.name;
}

RouteCore::~RouteCore() = default;

absl::Status RouteCore::Start() {
  TIELINE_RETURN_IF_ERROR(source_->SetConsumer(shared_from_this()));
  source_->Poke();
  return absl::OkStatus();
}

// ---- In the source's strand.

void RouteCore::OnDeliveries(std::span<Inbound> deliveries,
                             uint32_t incarnation) {
  const absl::Time now = source_->clock()->Steady();
  while (!deliveries.empty()) {
    const size_t n = std::min(deliveries.size(), kHandOver);
    if (!HandOver(deliveries.first(n), incarnation, now)) break;
    deliveries = deliveries.subspan(n);
  }
  // It is being stopped.
  for (Inbound& inbound : deliveries) {
    source_->Settle(inbound, incarnation, Verb::kRelease, {}, {})
        .IgnoreError();  // stale: the broker has it already
  }
}

bool RouteCore::HandOver(std::span<Inbound> deliveries, uint32_t incarnation,
                         absl::Time delivered_at) {
  Outgoing out;
  out.messages.reserve(deliveries.size());
  out.items.reserve(deliveries.size());
  bool deferred = false;
  {
    MutexLock lock(&mu_);
    // Stop waits for what was counted before it looked, and for nothing else.
    if (stopping_) return false;
    metrics_.received += deliveries.size();
    for (Inbound& inbound : deliveries) {
      Admit(std::move(inbound), incarnation, &out);
    }
    in_flight_ += out.items.size();
    metrics_.filtered += out.dropped.size();
    // A failed transform leaves work that is not done under the lock.
    deferred = !retry_later_.empty() || !failed_.empty();
  }
  CompleteDropped(out.dropped);
  Send(std::move(out), delivered_at);
  if (deferred) RunDeferredWork();
  return true;
}

void RouteCore::Admit(Inbound inbound, uint32_t incarnation, Outgoing* out) {
  uint64_t key = 0;
  if (inbound.late) inbound.message.set_property(kLateProperty, Value(true));
  if (IsBlocked(inbound, incarnation, &key)) {
    Blocked& blocked = blocked_[key];
    if (blocked.first != inbound.token) {
      blocked.behind.push_back(std::move(inbound));
      return;
    }
    // The one that the key waits for: let it try again.
    if (Prepare(inbound, incarnation, out)) Unblock(key, out);
    return;
  }
  Prepare(inbound, incarnation, out);
}

bool RouteCore::IsBlocked(const Inbound& inbound, uint32_t incarnation,
                          uint64_t* key) {
  if (blocked_.empty() || !ordered_ || !inbound.message.has(Field::kKey)) {
    return false;
  }
  *key = KeyHash(inbound, incarnation);
  return blocked_.contains(*key);
}

absl::StatusOr<Verdict> RouteCore::Change(Message& message) {
  if (ApplySteps(config_.steps, message) == Verdict::kDrop) {
    return Verdict::kDrop;
  }
  if (transform_ == nullptr) return Verdict::kPass;
  try {
    return transform_(message);
  } catch (const std::exception& e) {
    return MakeStatus(absl::StatusCode::kInternal, "the transform threw: {}",
                      e.what());
  } catch (...) {
    return absl::InternalError("the transform threw no std::exception");
  }
}

// False when it failed and waits for its next try.
bool RouteCore::Prepare(Inbound& inbound, uint32_t incarnation, Outgoing* out) {
  Item item;
  item.token = inbound.token;
  item.incarnation = incarnation;
  if (!changes_) {
    out->messages.push_back(std::move(inbound.message));
    out->items.push_back(std::move(item));
    return true;
  }
  Message message = inbound.message;
  absl::StatusOr<Verdict> verdict = Change(message);
  if (!verdict.ok()) {
    OnFailure(inbound, incarnation, verdict.status());
    return false;
  }
  failures_.erase(TokenHash(inbound.token, incarnation));
  if (*verdict == Verdict::kDrop) {
    out->dropped.push_back(std::move(item));
    return true;
  }
  item.original = std::move(inbound.message);
  out->messages.push_back(std::move(message));
  out->items.push_back(std::move(item));
  return true;
}

void RouteCore::OnFailure(Inbound& inbound, uint32_t incarnation,
                          const absl::Status& why) {
  ++metrics_.failed_attempts;
  last_failure_ = why;
  const uint64_t id = TokenHash(inbound.token, incarnation);
  Failures& of = failures_[id];
  of.token = inbound.token;
  of.incarnation = incarnation;
  const uint32_t failures = ++of.count;
  const bool keyed = ordered_ && inbound.message.has(Field::kKey);
  const uint64_t key = keyed ? KeyHash(inbound, incarnation) : 0;
  if (config_.dead_letter_after > 0 && failures >= config_.dead_letter_after) {
    failures_.erase(id);
    ++metrics_.dead_lettered;
    failed_.push_back(
        {std::move(inbound), incarnation, "RouteFailed",
         fmt::format("{} attempts: {}", failures, MessageOf(why))});
    if (keyed) expired_keys_.push_back(key);
    return;
  }
  if (keyed) {
    Blocked& blocked = blocked_[key];
    blocked.first = inbound.token;
    blocked.incarnation = incarnation;
  }
  retry_later_.push_back({std::move(inbound), incarnation});
}

// What waited behind a key's first message goes on, in order.
void RouteCore::Unblock(uint64_t key, Outgoing* out) {
  auto it = blocked_.find(key);
  if (it == blocked_.end()) return;
  const uint32_t incarnation = it->second.incarnation;
  std::deque<Inbound> behind = std::move(it->second.behind);
  blocked_.erase(it);
  while (!behind.empty()) {
    Inbound next = std::move(behind.front());
    behind.pop_front();
    if (Prepare(next, incarnation, out)) continue;
    auto again = blocked_.find(key);
    if (again == blocked_.end()) continue;  // dead-lettered: the next one
    again->second.behind = std::move(behind);
    return;
  }
}

void RouteCore::CompleteDropped(const std::vector<Item>& dropped) {
  for (const Item& item : dropped) {
    source_->CompleteMany({&item.token, 1}, item.incarnation);
  }
}

void RouteCore::Send(Outgoing out, absl::Time delivered_at) {
  if (out.items.empty()) return;
  auto* batch = new Batch(std::move(out.messages), std::move(out.items));
  batch->observer = this;
  batch->route = shared_from_this();
  batch->delivered_at = delivered_at;
  const uint64_t count = batch->results.size();
  if (destination_->GiveUnbounded(batch, absl::InfiniteDuration()).ok()) return;
  // The bus is closing: they stay the source's.
  batch->Unref();
  batch->Unref();
  MutexLock lock(&mu_);
  in_flight_ -= std::min(in_flight_, count);
  cv_.NotifyAll();
}

// What must not be done under the lock.
void RouteCore::RunDeferredWork() {
  std::vector<Retry> retries;
  std::vector<DeadLetter> failed;
  Outgoing out;
  {
    MutexLock lock(&mu_);
    while (!expired_keys_.empty()) {
      const uint64_t key = expired_keys_.back();
      expired_keys_.pop_back();
      Unblock(key, &out);
    }
    in_flight_ += out.items.size();
    metrics_.filtered += out.dropped.size();
    retries.swap(retry_later_);
    failed.swap(failed_);
  }
  CompleteDropped(out.dropped);
  Send(std::move(out), source_->clock()->Steady());
  for (Retry& retry : retries) {
    source_->RetryLater(std::move(retry.inbound), retry.incarnation);
  }
  for (DeadLetter& d : failed) {
    source_
        ->Settle(d.inbound, d.incarnation, Verb::kDeadLetter, d.reason,
                 d.detail)
        .IgnoreError();  // stale: the broker delivers it again
  }
}

void RouteCore::OnLaneClosing(driver::Lane lane, uint32_t epoch,
                              uint32_t incarnation) {
  std::vector<Token> gone;
  {
    MutexLock lock(&mu_);
    const auto in_lane = [&](const Token& t) {
      return t.lane == lane && t.epoch == epoch;
    };
    absl::erase_if(failures_, [&](const auto& f) {
      return f.second.incarnation == incarnation && in_lane(f.second.token);
    });
    for (auto it = blocked_.begin(); it != blocked_.end();) {
      if (it->second.incarnation != incarnation) {
        ++it;
        continue;
      }
      std::erase_if(it->second.behind, [&](const Inbound& i) {
        if (!in_lane(i.token)) return false;
        gone.push_back(i.token);
        return true;
      });
      // Keys of a lane are in that lane alone.
      if (in_lane(it->second.first)) {
        blocked_.erase(it++);
      } else {
        ++it;
      }
    }
  }
  for (const Token& t : gone) source_->Forget(t, incarnation);
}

void RouteCore::OnLost(uint32_t incarnation) {
  std::vector<Token> gone;
  {
    MutexLock lock(&mu_);
    const auto of_it = [incarnation](const auto& entry) {
      return entry.second.incarnation == incarnation;
    };
    absl::erase_if(blocked_, [&](const auto& entry) {
      if (!of_it(entry)) return false;
      for (const Inbound& i : entry.second.behind) gone.push_back(i.token);
      return true;
    });
    absl::erase_if(failures_, of_it);
    std::erase_if(retry_later_, [&](const Retry& retry) {
      if (retry.incarnation != incarnation) return false;
      gone.push_back(retry.inbound.token);
      return true;
    });
  }
  for (const Token& t : gone) source_->Forget(t, incarnation);
}

// ---- In the destination's strand.

absl::Time RouteCore::Now(const SendBatchState* batch, size_t index) {
  if (batch != cached_for_ || index % kClockEvery == 0) {
    cached_now_ = source_->clock()->Steady();
    cached_for_ = batch;
  }
  return cached_now_;
}

void RouteCore::OnSubmitted(SendBatchState& batch, SendResult& result) {
  auto& b = static_cast<Batch&>(batch);
  if (result.attempts > 1) return;
  const absl::Time now = Now(&batch, batch.IndexOf(result));
  turn_.residence.Add(absl::ToInt64Nanoseconds(now - b.delivered_at));
}

bool RouteCore::OnRejected(SendBatchState& batch, SendResult& result,
                           const absl::Status& why) {
  auto& item = static_cast<Batch&>(batch).items[batch.IndexOf(result)];
  ++turn_.failed_attempts;
  ++item.failures;
  {
    MutexLock lock(&mu_);
    last_failure_ = why;
    if (stopping_) return false;
  }
  // What is too large or malformed stays so.
  if (why.code() == absl::StatusCode::kInvalidArgument) return false;
  return config_.dead_letter_after == 0 ||
         item.failures < config_.dead_letter_after;
}

void RouteCore::OnResolved(SendBatchState& batch, SendResult& result) {
  auto& b = static_cast<Batch&>(batch);
  const size_t index = batch.IndexOf(result);
  Item& item = b.items[index];
  ++turn_resolved_;
  if (result.ok()) {
    ++turn_.relayed;
    const absl::Time now = Now(&batch, index);
    turn_.latency.Add(absl::ToInt64Nanoseconds(now - b.delivered_at));
    if (item.incarnation != completes_incarnation_ && !completes_.empty()) {
      source_->CompleteMany(completes_, completes_incarnation_);
      completes_.clear();
    }
    completes_incarnation_ = item.incarnation;
    completes_.push_back(item.token);
    // The driver may still have what was spooled.
    if (result.state == SendState::kAccepted) result.message = Message();
    item.original = Message();
    return;
  }
  // Stopping: what was not accepted stays the source's.
  if (result.state != SendState::kRejected) return;
  ++turn_.dead_lettered;
  if (item.failures == 0) ++turn_.failed_attempts;
  DeadLetter d;
  d.inbound.token = item.token;
  d.inbound.message =
      changes_ ? std::move(item.original) : std::move(result.message);
  d.incarnation = item.incarnation;
  d.reason = "RouteFailed";
  d.detail = std::string(MessageOf(result.status));
  dead_letters_.push_back(std::move(d));
}

void RouteCore::OnTurnEnd() {
  cached_for_ = nullptr;
  source_->CompleteMany(completes_, completes_incarnation_);
  completes_.clear();
  std::vector<DeadLetter> dead;
  dead.swap(dead_letters_);
  for (DeadLetter& d : dead) {
    source_->Log(LogLevel::kError, fmt::format("route {}: dead-lettered: {}",
                                               config_.name, d.detail));
    source_
        ->Settle(d.inbound, d.incarnation, Verb::kDeadLetter, d.reason,
                 d.detail)
        .IgnoreError();  // stale: the broker delivers it again
  }
  source_->Poke();
  MutexLock lock(&mu_);
  in_flight_ -= std::min(in_flight_, std::exchange(turn_resolved_, 0));
  metrics_.relayed += turn_.relayed;
  metrics_.failed_attempts += turn_.failed_attempts;
  metrics_.dead_lettered += turn_.dead_lettered;
  metrics_.residence.Merge(turn_.residence);
  metrics_.latency.Merge(turn_.latency);
  turn_ = {};
  if (in_flight_ == 0) cv_.NotifyAll();
}

// ---- Any thread.

absl::Status RouteCore::Stop(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(source_->CheckMayBlock());
  const Deadline deadline(timeout);
  {
    MutexLock lock(&mu_);
    if (stopping_) return absl::OkStatus();
    stopping_ = true;
  }
  source_->Pause();
  absl::Status status;
  uint64_t left = 0;
  {
    MutexLock lock(&mu_);
    // A little is kept for settling and closing.
    const Deadline answers(timeout * 0.7);
    while (in_flight_ > 0 && !answers.Passed()) {
      cv_.WaitFor(&mu_, answers.Left());
    }
    left = in_flight_;
    blocked_.clear();
  }
  if (left > 0) {
    status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "route {}: {} messages had no answer in time; the "
                        "source delivers them again",
                        config_.name, left);
  }
  const auto rest = [&] {
    return std::max(deadline.Left(), absl::Milliseconds(10));
  };
  absl::Status flushed = source_->Flush(rest());
  if (status.ok()) status = std::move(flushed);
  // What has no answer is cancelled, and stays the source's.
  destination_->Close(absl::ZeroDuration()).IgnoreError();
  absl::Status closed = source_->Close(rest());
  if (status.ok()) status = std::move(closed);
  source_->SetConsumer(nullptr).IgnoreError();
  return status;
}

RouteMetrics RouteCore::metrics() const {
  MutexLock lock(&mu_);
  RouteMetrics m = metrics_;
  m.in_flight = in_flight_;
  return m;
}

absl::Status RouteCore::health() const {
  absl::Status error = source_->last_error();
  if (!error.ok()) return error;
  return destination_->last_error();
}

Route::Route(std::shared_ptr<RouteCore> core) : core_(std::move(core)) {}

Route::~Route() { core_->Stop(absl::Seconds(5)).IgnoreError(); }

absl::Status Route::Stop(absl::Duration timeout) {
  return core_->Stop(timeout);
}

RouteMetrics Route::metrics() const { return core_->metrics(); }

absl::Status Route::health() const { return core_->health(); }

}  // namespace tieline::inline v0
