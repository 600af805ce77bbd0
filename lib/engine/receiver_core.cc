#include "lib/engine/receiver_core.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::Token;
using driver::Verb;

namespace {

// How long one of several legs is waited for before the next is looked at.
constexpr absl::Duration kTurn = absl::Milliseconds(2);
// And the only one, before the legs are looked at again.
constexpr absl::Duration kLook = absl::Milliseconds(100);

absl::Status Gone(std::string_view name) {
  return MakeStatus(absl::StatusCode::kAborted,
                    "{}: the queue has left the broker that the message came "
                    "from, which delivers it again",
                    name);
}

void Add(const ReceiverMetrics& leg, ReceiverMetrics* sum) {
  sum->received += leg.received;
  sum->completed += leg.completed;
  sum->abandoned += leg.abandoned;
  sum->dead_lettered += leg.dead_lettered;
  sum->stale += leg.stale;
  sum->suppressed += leg.suppressed;
}

}  // namespace

ReceiverCore::ReceiverCore(std::shared_ptr<ReceiverLeg> first)
    : first_(std::move(first)), home_(first_), legs_{first_} {}

void ReceiverCore::Attach() { first_->endpoint().Attach(first_); }

std::shared_ptr<ReceiverLeg> ReceiverCore::home() const {
  if (!moved_.load(std::memory_order_acquire)) return first_;
  MutexLock lock(&mu_);
  return home_;
}

std::vector<std::shared_ptr<ReceiverLeg>> ReceiverCore::legs() const {
  MutexLock lock(&mu_);
  return legs_;
}

bool ReceiverCore::closed() const {
  MutexLock lock(&mu_);
  return closed_;
}

std::shared_ptr<ReceiverLeg> ReceiverCore::LegOf(uint32_t incarnation) const {
  if (!moved_.load(std::memory_order_acquire)) return first_;
  const uint8_t number = LaneTable::NumberOf(incarnation);
  MutexLock lock(&mu_);
  for (const auto& leg : legs_) {
    if (leg->number() == number) return leg;
  }
  return nullptr;
}

// ---- All legs.

absl::Status ReceiverCore::SetConsumer(
    const std::shared_ptr<DeliveryConsumer>& consumer) {
  std::vector<std::shared_ptr<ReceiverLeg>> legs;
  {
    MutexLock lock(&mu_);
    if (consumer != nullptr && consumer_ != nullptr) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "{}: there is a processor already", home_->name());
    }
    consumer_ = consumer;
    paused_ = false;
    legs = legs_;
  }
  absl::Status first;
  for (const auto& leg : legs) first.Update(leg->SetConsumer(consumer));
  // The first one is kept here, also where the queue has left it.
  if (consumer == nullptr) first_->SetConsumer(nullptr).IgnoreError();
  return first;
}

void ReceiverCore::Pause() {
  {
    MutexLock lock(&mu_);
    paused_ = true;
  }
  for (const auto& leg : legs()) leg->Pause();
}

void ReceiverCore::Poke() {
  if (!moved_.load(std::memory_order_acquire)) {
    first_->endpoint().Poke();
    return;
  }
  for (const auto& leg : legs()) leg->endpoint().Poke();
}

absl::Status ReceiverCore::Flush(absl::Duration timeout) const {
  const Deadline deadline(timeout);
  absl::Status first;
  for (const auto& leg : legs()) first.Update(leg->Flush(deadline.Left()));
  return first;
}

absl::Status ReceiverCore::Close(absl::Duration timeout) {
  const Deadline deadline(timeout);
  {
    MutexLock lock(&mu_);
    closed_ = true;
  }
  absl::Status first;
  for (const auto& leg : legs()) first.Update(leg->Close(deadline.Left()));
  return first;
}

// ---- Pulling.

// `take(leg, timeout)`, from the leg that has something first.
template <typename Take>
auto ReceiverCore::FromAnyLeg(absl::Duration timeout,
                              const std::stop_token& stop, Take take) {
  using Result = std::invoke_result_t<Take, ReceiverLeg&, absl::Duration>;
  const Deadline deadline(timeout);
  if (!moved_.load(std::memory_order_acquire)) {
    Result result = take(*first_, timeout);
    const bool moves = !result.ok() && absl::IsAborted(result.status());
    if (!moves) return result;
  }
  absl::Duration turn = absl::ZeroDuration();
  for (;;) {
    // What is there first; then each is waited for in turn.
    const std::vector<std::shared_ptr<ReceiverLeg>> all = legs();
    for (const auto& leg : all) {
      Result result = take(*leg, std::min(turn, deadline.Left()));
      if (result.ok() || deadline.Passed() || stop.stop_requested()) {
        return result;
      }
      const absl::StatusCode code = result.status().code();
      const bool goes_on = code == absl::StatusCode::kDeadlineExceeded ||
                           code == absl::StatusCode::kAborted;
      if (!goes_on && home() == leg) return result;
    }
    turn = all.size() > 1 ? kTurn : kLook;
  }
}

absl::StatusOr<Delivery> ReceiverCore::Receive(absl::Duration timeout,
                                               const std::stop_token& stop) {
  return FromAnyLeg(timeout, stop, [&](ReceiverLeg& leg, absl::Duration left) {
    return leg.Receive(left, stop);
  });
}

absl::StatusOr<std::vector<Delivery>> ReceiverCore::ReceiveBatch(
    size_t max, absl::Duration timeout, const std::stop_token& stop) {
  return FromAnyLeg(timeout, stop, [&](ReceiverLeg& leg, absl::Duration left) {
    return leg.ReceiveBatch(max, left, stop);
  });
}

// ---- Of one leg.

absl::Status ReceiverCore::CompleteAll(std::span<Delivery> deliveries) const {
  return home()->CompleteAll(deliveries);
}

Delivery ReceiverCore::MakeDelivery(Inbound inbound, uint32_t incarnation) {
  std::shared_ptr<ReceiverLeg> leg = LegOf(incarnation);
  // Where it is gone the incarnation fits no leg: settling says kAborted.
  if (leg == nullptr) leg = home();
  return leg->MakeDelivery(std::move(inbound), incarnation);
}

absl::Status ReceiverCore::Settle(Inbound& inbound, uint32_t incarnation,
                                  Verb verb, std::string_view reason,
                                  std::string_view detail) {
  const std::shared_ptr<ReceiverLeg> leg = LegOf(incarnation);
  if (leg == nullptr) return Gone(queue().name);
  return leg->Settle(inbound, incarnation, verb, reason, detail);
}

void ReceiverCore::CompleteMany(std::span<const Token> tokens,
                                uint32_t incarnation) {
  if (tokens.empty()) return;
  const std::shared_ptr<ReceiverLeg> leg = LegOf(incarnation);
  if (leg != nullptr) leg->CompleteMany(tokens, incarnation);
}

void ReceiverCore::Forget(const Token& token, uint32_t incarnation) {
  const std::shared_ptr<ReceiverLeg> leg = LegOf(incarnation);
  if (leg != nullptr) leg->Forget(token, incarnation);
}

void ReceiverCore::RetryLater(Inbound inbound, uint32_t incarnation) {
  const std::shared_ptr<ReceiverLeg> leg = LegOf(incarnation);
  if (leg != nullptr) leg->RetryLater(std::move(inbound), incarnation);
}

ReceiverMetrics ReceiverCore::metrics() const {
  const std::vector<std::shared_ptr<ReceiverLeg>> all = legs();
  ReceiverMetrics sum = home()->metrics();
  for (const auto& leg : all) {
    if (leg == home()) continue;
    const ReceiverMetrics one = leg->metrics();
    Add(one, &sum);
    sum.unsettled += one.unsettled;
    sum.stalled_lanes += one.stalled_lanes;
  }
  MutexLock lock(&mu_);
  Add(gone_, &sum);
  return sum;
}

// ---- Moving.

uint8_t ReceiverCore::NextNumber() {
  MutexLock lock(&mu_);
  const auto used = [this](uint8_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::any_of(legs_.begin(), legs_.end(), [number](const auto& leg) {
      return leg->number() == number;
    });
  };
  while (used(next_number_)) ++next_number_;
  return next_number_++;
}

bool ReceiverCore::AddLeg(const std::shared_ptr<ReceiverLeg>& leg) {
  leg->SetCredit(false);
  std::shared_ptr<DeliveryConsumer> consumer;
  bool paused = false;
  {
    MutexLock lock(&mu_);
    if (closed_) return false;
    legs_.push_back(leg);
    consumer = consumer_;
    paused = paused_;
  }
  moved_.store(true, std::memory_order_release);
  // Whoever waits at the first one alone is to look at all.
  first_->LetWaitersGo();
  if (consumer != nullptr) leg->SetConsumer(consumer).IgnoreError();
  if (paused) leg->Pause();
  leg->endpoint().Attach(leg);
  return true;
}

void ReceiverCore::SetHome(const std::shared_ptr<ReceiverLeg>& leg) {
  MutexLock lock(&mu_);
  home_ = leg;
}

void ReceiverCore::DropLeg(const std::shared_ptr<ReceiverLeg>& leg) {
  {
    MutexLock lock(&mu_);
    const auto it = std::find(legs_.begin(), legs_.end(), leg);
    if (it == legs_.end()) return;
    legs_.erase(it);
    Add(leg->metrics(), &gone_);
  }
  leg->Leave();
}

}  // namespace tieline::inline v0
