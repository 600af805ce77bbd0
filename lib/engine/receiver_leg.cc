// What a ReceiverLeg does in the strand, and its life.
#include "lib/engine/receiver_leg.h"

#include <algorithm>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0 {

using driver::Inbound;
using driver::LaneEvent;
using driver::LaneState;
using driver::Settled;
using driver::Verb;

ReceiverLeg::ReceiverLeg(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
                         ReceiverOptions options,
                         DeadLetterCopier::MakeSender make_dead_letter_sender,
                         uint8_t number)
    : endpoint_(std::move(endpoint)),
      queue_(std::move(queue)),
      options_(std::move(options)),
      ordered_(queue_.ordered == Order::kPerKey),
      settle_batch_(std::clamp(options_.credit / 4, 1u, 64u)),
      number_(number),
      link_(endpoint_.get(), queue_, "receiver", options_.needs),
      dead_letters_(std::move(make_dead_letter_sender), queue_.entity),
      capability_bits_(endpoint_->driver().capabilities().bits),
      lanes_(options_.credit, options_.credit_bytes, number) {}

ReceiverLeg::~ReceiverLeg() {
  if (deduper_ != nullptr) deduper_->Close();
}

void ReceiverLeg::Dedupe(std::shared_ptr<Inbox> inbox) {
  deduper_ = std::make_shared<Deduper>(
      std::move(inbox), queue_,
      endpoint_->driver().capabilities().has(Capability::kReplay));
  deduper_->Join(std::static_pointer_cast<ReceiverLeg>(shared_from_this()));
}

absl::Status ReceiverLeg::SetConsumer(
    std::shared_ptr<DeliveryConsumer> consumer) {
  {
    MutexLock lock(&mu_);
    if (consumer != nullptr && consumer_ != nullptr) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "{}: there is a processor already", name());
    }
    if (consumer != nullptr) {
      paused_ = false;
      pulled_.store(false);
      backlog_.FreeKeys();
    }
    consumer_ = std::move(consumer);
  }
  endpoint_->MarkDirty(this);
  return absl::OkStatus();
}

// ---- The link.

void ReceiverLeg::OnUp(driver::Connection* connection) {
  link_.OnUp(connection);
}

void ReceiverLeg::OpenLink(absl::Time now) {
  driver::Connection* connection = link_.ToOpen(now);
  if (connection == nullptr || link_.closed()) return;
  driver_.reset();
  driver::ReceiverSpec spec;
  spec.queue = queue_;
  spec.ordered = ordered_;
  spec.max_gap = options_.max_gap;
  spec.lane_grace = options_.lane_grace;
  spec.browse = options_.browse;
  auto opened = connection->OpenReceiver(spec, this);
  if (!opened.ok()) {
    OnClosed(opened.status());
    return;
  }
  driver_ = *std::move(opened);
  link_.OnOpening();
}

void ReceiverLeg::OnOpened(const Capabilities& capabilities) {
  capability_bits_.store(capabilities.bits, std::memory_order_release);
  refused_ = !link_.OnOpened(capabilities).ok();
  {
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
}

void ReceiverLeg::CloseLink() {
  bool close_handle = false;
  if (!link_.BeginClose(driver_ != nullptr, &close_handle)) return;
  if (close_handle) {
    driver_->Close();
  } else {
    OnClosed(absl::OkStatus());
  }
}

void ReceiverLeg::OnClosed(const absl::Status& why) {
  absl::Status error;
  if (link_.OnClosed(why, &error)) {
    {
      MutexLock lock(&mu_);
      cv_.NotifyAll();
    }
    if (leaves_.load()) endpoint_->Detach(shared_from_this());
    return;
  }
  DropState(error);
  endpoint_->MarkDirty(this);
}

void ReceiverLeg::OnDown(const absl::Status& why) {
  driver_.reset();
  refused_ = false;
  link_.OnDown(why);
  DropState(why.ok() ? absl::UnavailableError("the receiver was closed") : why);
}

// Every token is stale from here on.
void ReceiverLeg::DropState(const absl::Status& why) {
  pulled_.store(false);
  std::shared_ptr<DeliveryConsumer> consumer;
  std::vector<driver::Token> dropped;
  uint32_t incarnation = 0;
  sending_.Clear();
  {
    MutexLock lock(&mu_);
    incarnation = lanes_.incarnation();
    lanes_.Reset();
    held_.clear();
    backlog_.Clear([&](const Inbound& i) { dropped.push_back(i.token); });
    settling_.Clear();
    unconfirmed_ = 0;
    drained_ = true;
    drain_asked_ = false;
    for (auto& [token, waiter] : confirm_) {
      waiter->done = true;
      waiter->status =
          MakeStatus(absl::StatusCode::kUnavailable,
                     "{}: the connection went before the broker confirmed: {}",
                     name(), MessageOf(why));
    }
    confirm_.clear();
    consumer = consumer_;
    cv_.NotifyAll();
  }
  for (const driver::Token& token : dropped) GiveUp(token, incarnation);
  if (deduper_ != nullptr) {
    deduper_->Drop(incarnation, std::nullopt, [](const Inbound&) {});
  }
  if (consumer != nullptr) consumer->OnLost(incarnation);
}

// ---- What the driver tells.

// For the consumer, if there is one: what came before it, or is to be tried
// again.
std::shared_ptr<DeliveryConsumer> ReceiverLeg::TakeReadyFor(
    std::vector<Inbound>* ready) {
  Ring<Inbound>& waiting = backlog_.ready();
  if (consumer_ == nullptr || is_paused() || waiting.empty()) return nullptr;
  ready->reserve(waiting.size());
  while (!waiting.empty()) ready->push_back(waiting.pop_front());
  return consumer_;
}

void ReceiverLeg::OnDeliveries(std::span<Inbound> deliveries) {
  std::vector<Inbound> early;
  std::vector<Inbound> passed;
  std::shared_ptr<DeliveryConsumer> consumer;
  uint32_t incarnation = 0;
  bool wake = false;
  {
    MutexLock lock(&mu_);
    TakeReadyFor(&early);
    lanes_.ArrivedOnCredit(deliveries);
    counts_.received += deliveries.size();
    incarnation = lanes_.incarnation();
    if (gate_ != nullptr && !is_paused()) {
      passed = PassGate(deliveries);
      deliveries = passed;
    }
    if (is_paused()) {
      for (const Inbound& d : deliveries) Push(d.token, Verb::kRelease, {}, {});
      endpoint_->MarkDirty(this);
    } else if (consumer_ != nullptr) {
      consumer = consumer_;
    } else {
      for (Inbound& d : deliveries) backlog_.Arrived(std::move(d));
      wake = waiting_ > 0;
    }
  }
  if (wake) cv_.NotifyAll();
  if (consumer == nullptr) return;
  if (!early.empty()) HandOver(*consumer, early, incarnation);
  if (!deliveries.empty()) HandOver(*consumer, deliveries, incarnation);
}

void ReceiverLeg::HandOver(DeliveryConsumer& consumer,
                           std::span<Inbound> deliveries,
                           uint32_t incarnation) {
  if (deduper_ == nullptr) {
    consumer.OnDeliveries(deliveries, incarnation);
    return;
  }
  std::vector<driver::Token> copies;
  if (deduper_->has_ready()) {
    std::vector<Inbound> ready = deduper_->TakeReady(incarnation, &copies);
    if (!ready.empty()) consumer.OnDeliveries(ready, incarnation);
  }
  deliveries = deduper_->Admit(deliveries, incarnation, &copies);
  if (!deliveries.empty()) consumer.OnDeliveries(deliveries, incarnation);
  if (copies.empty()) return;
  CompleteNow(copies, incarnation);
  MutexLock lock(&mu_);
  counts_.suppressed += copies.size();
}

void ReceiverLeg::OnSettled(std::span<const Settled> settled) {
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
  if (others_waiting_.load() > 0) cv_.NotifyAll();
}

void ReceiverLeg::OnLane(const LaneEvent& event) {
  const bool goes =
      event.state == LaneState::kClosing || event.state == LaneState::kClosed;
  std::shared_ptr<DeliveryConsumer> consumer;
  std::vector<driver::Token> dropped;
  uint32_t incarnation = 0;
  if (goes && deduper_ != nullptr) {
    {
      MutexLock lock(&mu_);
      incarnation = lanes_.incarnation();
    }
    size_t waited = 0;
    deduper_->Drop(incarnation, event.lane,
                   [&waited](const Inbound&) { ++waited; });
    MutexLock lock(&mu_);
    if (waited > 0) lanes_.Settled(event.lane, waited);
  }
  {
    MutexLock lock(&mu_);
    lanes_.Apply(event);
    incarnation = lanes_.incarnation();
    if (goes) {
      consumer = consumer_;
      std::erase_if(held_, [&](const Inbound& inbound)
                               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                                 if (inbound.token.lane != event.lane) {
                                   return false;
                                 }
                                 lanes_.Settled(event.lane, 1);
                                 return true;
                               });
      // What was not handed out of a lane that goes is dropped.
      backlog_.DropLane(event.lane, [&](const Inbound& inbound)
                                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                                          lanes_.Settled(inbound.token.lane, 1);
                                          dropped.push_back(inbound.token);
                                        });
    }
    if (event.state == LaneState::kClosed) lanes_.Forget(event.lane);
  }
  for (const driver::Token& token : dropped) GiveUp(token, incarnation);
  if (consumer != nullptr) {
    consumer->OnLaneClosing(event.lane, event.epoch, incarnation);
  }
  if (event.state == LaneState::kStalled) {
    endpoint_->Log(LogLevel::kError,
                   fmt::format("{}: lane {} is stalled: an unsettled message "
                               "holds back {} others",
                               name(), event.name, options_.max_gap));
  }
  endpoint_->MarkDirty(this);
}

void ReceiverLeg::OnDrained() {
  {
    MutexLock lock(&mu_);
    lanes_.Drained();
    drained_ = true;
    cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
}

// ---- Pumping.

// Under one lock: what is settled before a lane is looked at, or before the
// close is asked for, goes to the driver before the lane is handed back or the
// link closed.
ReceiverLeg::Work ReceiverLeg::TakeWork(absl::Time now) {
  Work work;
  const bool closing = work.closing = link_.close_asked();
  MutexLock lock(&mu_);
  work.paused = is_paused();
  backlog_.RetryDue(now);
  work.next = backlog_.NextRetry();
  work.incarnation = lanes_.incarnation();
  if (link_.open() && (closing || is_paused())) {
    for (const Inbound& held : held_) Push(held.token, Verb::kRelease, {}, {});
    held_.clear();
    backlog_.Clear([&](const Inbound& i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      Push(i.token, Verb::kRelease, {}, {});
      work.given_up.push_back(i.token);
    });
  }
  if (gate_ != nullptr && !held_.empty()) {
    for (Inbound& passed : PassGate({})) backlog_.Arrived(std::move(passed));
  }
  work.consumer = TakeReadyFor(&work.ready);
  if (deduper_ != nullptr && deduper_->has_ready() && !is_paused()) {
    work.consumer = consumer_;
  }
  if (waiting_ > 0 && !backlog_.ready().empty()) cv_.NotifyAll();
  if (!link_.open()) return work;
  work.sessions.swap(sessions_wanted_);
  sending_.Swap(&settling_);
  unconfirmed_ += sending_.size();
  work.next = std::min(work.next, lanes_.TakeClosed(now, &work.drop));
  if (is_paused() || closing || refused_) return work;
  // After a pause, what was granted must have come back first.
  if (drain_asked_ && !drained_) return work;
  drain_asked_ = false;
  if (!lanes_.TakeGrant(&work.messages, &work.bytes)) {
    work.messages = work.bytes = 0;
  }
  return work;
}

void ReceiverLeg::Do(const Work& work) {
  for (const std::string& session : work.sessions) {
    const absl::Status status = driver_->AcceptLane(session);
    if (status.ok()) continue;
    link_.SetError(Annotate(status, name()));
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  }
  SendSettlements();
  for (const auto& [lane, epoch] : work.drop) driver_->DropLane(lane, epoch);
  if (work.paused) AskToDrain();
  if (work.messages > 0 || work.bytes > 0) {
    driver_->Grant(driver::kAllLanes, static_cast<uint32_t>(work.messages),
                   work.bytes);
  }
}

absl::Time ReceiverLeg::Pump(absl::Time now) {
  OpenLink(now);
  if (deduper_ != nullptr) ReleaseWaiting();
  Work work = TakeWork(now);
  for (const driver::Token& token : work.given_up) {
    GiveUp(token, work.incarnation);
  }
  if (work.consumer != nullptr) {
    HandOver(*work.consumer, work.ready, work.incarnation);
  }
  absl::Time next = std::min(work.next, link_.next_try());
  if (deduper_ != nullptr) next = std::min(next, deduper_->Tick());
  if (link_.open()) Do(work);
  // Not when it was asked for meanwhile: what was settled just before that is
  // not sent yet.
  if (work.closing) CloseLink();
  return next;
}

// What waits because of second copies is released like what was not handed out.
void ReceiverLeg::ReleaseWaiting() {
  uint32_t incarnation = 0;
  {
    MutexLock lock(&mu_);
    if (!link_.open() || !(is_paused() || link_.close_asked())) return;
    incarnation = lanes_.incarnation();
  }
  std::vector<driver::Token> dropped;
  deduper_->Drop(incarnation, std::nullopt,
                 [&](const Inbound& i) { dropped.push_back(i.token); });
  MutexLock lock(&mu_);
  for (const driver::Token& token : dropped) {
    Push(token, Verb::kRelease, {}, {});
  }
}

void ReceiverLeg::SendSettlements() {
  if (sending_.empty()) return;
  driver_->Settle(sending_.all());
  sending_.Clear();
}

void ReceiverLeg::AskToDrain() {
  if (drain_asked_) return;
  drain_asked_ = true;
  {
    MutexLock lock(&mu_);
    drained_ = false;
  }
  driver_->Drain();
}

// ---- Any thread.

void ReceiverLeg::Pause() {
  {
    MutexLock lock(&mu_);
    paused_ = true;
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
}

absl::Status ReceiverLeg::WaitOpen(absl::Duration timeout) {
  const OtherWaiter other(this);
  return link_.WaitOpen(timeout);
}

absl::Status ReceiverLeg::Close(absl::Duration timeout) {
  const OtherWaiter other(this);
  const Deadline deadline(timeout);
  if (link_.closed()) return absl::OkStatus();
  absl::Status status = dead_letters_.Close(timeout);
  link_.Refuse();
  if (CheckMayBlock(*endpoint_).ok()) {
    MutexLock lock(&mu_);
    while (IsWritingDown() && !deadline.Passed()) {
      cv_.WaitFor(&mu_, deadline.Left());
    }
  }
  link_.AskToClose();
  {
    MutexLock lock(&mu_);
    cv_.NotifyAll();
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  if (CheckMayBlock(*endpoint_).ok() && !link_.WaitClosed(deadline)) {
    status = MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "{}: not closed within {}", name(),
                        absl::FormatDuration(timeout));
  }
  if (deduper_ != nullptr) deduper_->Close();
  endpoint_->Detach(shared_from_this());
  return status;
}

absl::Status ReceiverLeg::AcceptSession(std::string session) {
  if (!Can(Capability::kSessions)) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      "{}: this backend has no sessions", name());
  }
  {
    MutexLock lock(&mu_);
    sessions_wanted_.push_back(std::move(session));
  }
  endpoint_->MarkDirty(this);
  endpoint_->Poke();
  return absl::OkStatus();
}

bool ReceiverLeg::Can(Capability c) const {
  Capabilities now;
  now.bits = capability_bits_.load(std::memory_order_acquire);
  return now.has(c);
}

std::string ReceiverLeg::LaneName(driver::Lane lane) const {
  MutexLock lock(&mu_);
  return lanes_.Name(lane);
}

ReceiverMetrics ReceiverLeg::metrics() const {
  MutexLock lock(&mu_);
  ReceiverMetrics m = counts_;
  m.queue = queue_.name;
  m.broker = endpoint_->broker().name;
  m.unsettled = lanes_.unsettled();
  m.stalled_lanes = lanes_.stalled();
  return m;
}

}  // namespace tieline::inline v0
