// Settling what a ReceiverLeg handed out.
#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "lib/base/status.h"
#include "lib/engine/receiver_leg.h"
#include "lib/policy/backoff.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Token;
using driver::Verb;

namespace {

// Queued settlements go out together, at the latest after this,
constexpr absl::Duration kSettleDelay = absl::Milliseconds(1);
// or so much later, where the endpoint is to be run by then anyway.
constexpr absl::Duration kSettleSlack = absl::Milliseconds(8);

}  // namespace

absl::Status ReceiverLeg::Stale() {
  if (link_.closed() && link_.link_closed()) {
    return MakeStatus(absl::StatusCode::kAborted,
                      "{}: the receiver was closed: the broker delivers the "
                      "message again",
                      name());
  }
  ++counts_.stale;
  return MakeStatus(absl::StatusCode::kAborted,
                    "{}: the connection or lane that the message came on is "
                    "gone: the broker delivers it again",
                    name());
}

absl::Status ReceiverLeg::CheckToken(const Token& token, uint32_t incarnation) {
  const bool over = link_.closed() && link_.link_closed();
  if (!over && lanes_.IsCurrent(token, incarnation)) return absl::OkStatus();
  return Stale();
}

void ReceiverLeg::Count(Verb verb) {
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

void ReceiverLeg::Push(const Token& token, Verb verb, std::string_view reason,
                       std::string_view detail) {
  if (verb != Verb::kRenew) lanes_.Settled(token.lane, 1);
  if (options_.browse) return;
  settling_.Push(token, verb, reason, detail);
  Count(verb);
}

void ReceiverLeg::Nudge(size_t before, size_t after) {
  if (before < settle_batch_ && after >= settle_batch_) {
    endpoint_->MarkDirty(this);
    endpoint_->PokeUnlessResting();
  } else if (before == 0 && after > 0) {
    endpoint_->MarkDirty(this);
    endpoint_->RunWithin(kSettleDelay, kSettleSlack);
  }
}

absl::Status ReceiverLeg::Settle(Inbound& inbound, uint32_t incarnation,
                                 Verb verb, std::string_view reason,
                                 std::string_view detail) {
  if (!options_.browse) {
    if (verb == Verb::kComplete && deduper_ != nullptr) {
      return CompleteOnce(inbound.token, incarnation);
    }
    if (verb == Verb::kDefer && !Can(Capability::kDefer)) {
      return MakeStatus(absl::StatusCode::kUnimplemented,
                        "{}: this backend can't defer", name());
    }
    if (verb == Verb::kAbandon && !Can(Capability::kBrokerRedelivery)) {
      return AbandonInPlace(inbound, incarnation);
    }
    // A copy may be handled now.
    if (verb != Verb::kRenew) GiveUp(inbound.token, incarnation);
    if (verb == Verb::kDeadLetter && !Can(Capability::kDeadLetter)) {
      return DeadLetterByCopy(inbound, incarnation, reason, detail);
    }
  }
  size_t before = 0;
  size_t after = 0;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
    before = settling_.size();
    Push(inbound.token, verb, reason, detail);
    after = settling_.size();
  }
  Nudge(before, after);
  return absl::OkStatus();
}

absl::Status ReceiverLeg::CompleteAll(std::span<Delivery> deliveries) {
  absl::Status first;
  if (deduper_ != nullptr) {
    for (Delivery& d : deliveries) first.Update(d.Complete());
    return first;
  }
  size_t before = 0;
  size_t after = 0;
  {
    MutexLock lock(&mu_);
    before = settling_.size();
    for (const Delivery& d : deliveries) {
      if (d.core_.get() != this) continue;
      absl::Status status = CheckToken(d.inbound_.token, d.incarnation_);
      if (status.ok()) {
        Push(d.inbound_.token, Verb::kComplete, {}, {});
      } else if (first.ok()) {
        first = std::move(status);
      }
    }
    after = settling_.size();
  }
  for (Delivery& d : deliveries) {
    if (d.core_.get() == this) {
      d.core_.reset();
      continue;
    }
    absl::Status status = d.Complete();
    if (first.ok()) first = std::move(status);
  }
  Nudge(before, after);
  return first;
}

void ReceiverLeg::CompleteMany(std::span<const Token> tokens,
                               uint32_t incarnation) {
  if (deduper_ == nullptr) {
    CompleteNow(tokens, incarnation);
    return;
  }
  std::vector<Token> unclaimed(tokens.begin(), tokens.end());
  deduper_->Complete(&unclaimed, incarnation);
  CompleteNow(unclaimed, incarnation);
}

// Where it is stale, it was handled all the same: what the broker delivers
// again is a second copy.
absl::Status ReceiverLeg::CompleteOnce(const Token& token,
                                       uint32_t incarnation) {
  absl::Status current;
  {
    MutexLock lock(&mu_);
    current = CheckToken(token, incarnation);
  }
  std::vector<Token> unclaimed = {token};
  deduper_->Complete(&unclaimed, incarnation);
  if (current.ok()) CompleteNow(unclaimed, incarnation);
  return current;
}

void ReceiverLeg::CompleteDurable(std::span<const Token> tokens,
                                  uint32_t incarnation) {
  CompleteNow(tokens, incarnation);
}

void ReceiverLeg::OnDeduperChange() {
  if (others_waiting_.load() > 0) {
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
  endpoint_->Schedule();
}

void ReceiverLeg::OnOtherBody(std::string_view id) {
  endpoint_->Log(LogLevel::kWarning,
                 fmt::format("{}: two messages have the id {} and different "
                             "bodies; both are delivered",
                             name(), absl::CHexEscape(ToAbsl(id))));
}

void ReceiverLeg::CompleteNow(std::span<const Token> tokens,
                              uint32_t incarnation) {
  if (tokens.empty()) return;
  size_t before = 0;
  size_t after = 0;
  {
    MutexLock lock(&mu_);
    before = settling_.size();
    for (const Token& token : tokens) {
      if (CheckToken(token, incarnation).ok()) {
        Push(token, Verb::kComplete, {}, {});
      }
    }
    after = settling_.size();
  }
  Nudge(before, after);
}

void ReceiverLeg::Forget(const Token& token, uint32_t incarnation) {
  GiveUp(token, incarnation);
  MutexLock lock(&mu_);
  if (lanes_.HasEpoch(token, incarnation)) lanes_.Settled(token.lane, 1);
}

absl::Status ReceiverLeg::SettleConfirmed(Inbound& inbound,
                                          uint32_t incarnation, Verb verb,
                                          absl::Duration timeout,
                                          absl::Time* locked_until) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  if (options_.browse) return absl::OkStatus();
  auto waiter = std::make_shared<Waiter>();
  const bool completes = verb == Verb::kComplete && deduper_ != nullptr;
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
    if (!completes) Push(inbound.token, verb, {}, {});
    confirm_[inbound.token] = waiter;
  }
  if (completes) {
    CompleteMany({&inbound.token, 1}, incarnation);
  } else if (verb != Verb::kRenew) {
    GiveUp(inbound.token, incarnation);
  }
  const OtherWaiter other(this);
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  const Deadline deadline(timeout);
  MutexLock lock(&mu_);
  while (!waiter->done) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      confirm_.erase(inbound.token);
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: the broker did not confirm within {}", name(),
                        absl::FormatDuration(timeout));
    }
    cv_.WaitFor(&mu_, left);
  }
  if (locked_until != nullptr) *locked_until = waiter->locked_until;
  return waiter->status;
}

absl::Status ReceiverLeg::Flush(absl::Duration timeout) {
  TIELINE_RETURN_IF_ERROR(CheckMayBlock(*endpoint_));
  const OtherWaiter other(this);
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  const Deadline deadline(timeout);
  MutexLock lock(&mu_);
  while (!settling_.empty() || unconfirmed_ > 0 || IsWritingDown()) {
    const absl::Duration left = deadline.Left();
    if (left == absl::ZeroDuration()) {
      const size_t pending = IsWritingDown() ? deduper_->pending() : 0;
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: {} settlements not confirmed within {}", name(),
                        settling_.size() + unconfirmed_ + pending,
                        absl::FormatDuration(timeout));
    }
    cv_.WaitFor(&mu_, left);
  }
  return absl::OkStatus();
}

// ---- Trying again in place.

bool ReceiverLeg::WouldRetry(uint32_t attempts) const {
  return options_.max_attempts == 0 || attempts + 1 < options_.max_attempts;
}

void ReceiverLeg::ScheduleRetry(Inbound inbound) {
  const Backoff backoff(options_.retry_min, options_.retry_max, 0.5);
  const absl::Time at =
      endpoint_->clock()->Steady() +
      backoff.Delay(inbound.attempts > 0 ? inbound.attempts - 1 : 0,
                    endpoint_->Random());
  backlog_.Retry(std::move(inbound), at, consumer_ == nullptr && ordered_);
}

absl::Status ReceiverLeg::AbandonInPlace(Inbound& inbound,
                                         uint32_t incarnation) {
  inbound.attempts += 1;
  if (options_.max_attempts > 0 && inbound.attempts >= options_.max_attempts) {
    return Settle(inbound, incarnation, Verb::kDeadLetter,
                  "MaxDeliveryCountExceeded",
                  fmt::format("abandoned {} times", inbound.attempts));
  }
  const Token token = inbound.token;
  absl::Status current;
  {
    MutexLock lock(&mu_);
    current = CheckToken(token, incarnation);
    if (current.ok()) {
      ++counts_.abandoned;
      inbound.redelivered = true;
      ScheduleRetry(std::move(inbound));
    }
  }
  if (!current.ok()) {
    GiveUp(token, incarnation);
    return current;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  return absl::OkStatus();
}

void ReceiverLeg::RetryLater(Inbound inbound, uint32_t incarnation) {
  inbound.attempts += 1;
  inbound.redelivered = true;
  const Token token = inbound.token;
  bool is_current = false;
  {
    MutexLock lock(&mu_);
    is_current = CheckToken(token, incarnation).ok();
    if (is_current) ScheduleRetry(std::move(inbound));
  }
  if (!is_current) {
    GiveUp(token, incarnation);
    return;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

absl::Status ReceiverLeg::DeadLetterByCopy(Inbound& inbound,
                                           uint32_t incarnation,
                                           std::string_view reason,
                                           std::string_view detail) {
  {
    MutexLock lock(&mu_);
    TIELINE_RETURN_IF_ERROR(CheckToken(inbound.token, incarnation));
  }
  const Message message = inbound.message;
  auto self = std::static_pointer_cast<ReceiverLeg>(shared_from_this());
  auto kept = std::make_shared<Inbound>(std::move(inbound));
  const bool sent = dead_letters_.Send(
      message, reason, detail,
      [self, kept, incarnation](const SendResult& result) {
        self->FinishDeadLetter(result, std::move(*kept), incarnation);
      });
  if (sent) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kAborted,
                    "{}: not dead-lettered, since it is being closed: the "
                    "broker delivers the message again",
                    name());
}

void ReceiverLeg::FinishDeadLetter(const SendResult& result, Inbound inbound,
                                   uint32_t incarnation) {
  if (result.ok()) {
    size_t before = 0;
    size_t after = 0;
    {
      MutexLock lock(&mu_);
      if (!CheckToken(inbound.token, incarnation).ok()) return;
      before = settling_.size();
      Push(inbound.token, Verb::kComplete, {}, {});
      --counts_.completed;
      ++counts_.dead_lettered;
      after = settling_.size();
    }
    Nudge(before, after);
    return;
  }
  endpoint_->Log(LogLevel::kError,
                 fmt::format("{}: not dead-lettered, will be tried again: {}",
                             name(), MessageOf(result.status)));
  {
    MutexLock lock(&mu_);
    if (!CheckToken(inbound.token, incarnation).ok()) return;
    ScheduleRetry(std::move(inbound));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

}  // namespace tieline::inline v0
