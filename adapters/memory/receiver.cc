#include "adapters/memory/receiver.h"

#include <algorithm>
#include <utility>

namespace tieline::inline v0 {
namespace memory {

using driver::Inbound;
using driver::Lane;
using driver::LaneEvent;
using driver::LaneState;
using driver::Settled;
using driver::Settlement;

namespace {

// Messages handed out in one turn of one lane, at most.
constexpr size_t kBatch = 256;

}  // namespace

MemoryReceiver::MemoryReceiver(MemoryConnection* connection, QueueConfig queue,
                               driver::ReceiverSink* sink)
    : Handle(connection),
      config_(std::move(queue)),
      sink_(sink),
      consumer_(connection->bell()) {}

MemoryReceiver::~MemoryReceiver() {
  Leave(false);
  if (connection_ != nullptr) connection_->Forget(this);
}

void MemoryReceiver::Grant(Lane lane, uint32_t messages, uint64_t bytes) {
  Credit& credit = lane == driver::kAllLanes
                       ? credit_
                       : lane_credit_[static_cast<uint32_t>(lane)];
  credit.messages += messages;
  credit.bytes += std::min(bytes, UINT64_MAX - credit.bytes);
  if (connection_ != nullptr) connection_->MarkReady(this);
}

void MemoryReceiver::Drain() {
  credit_ = {};
  lane_credit_.clear();
  draining_ = true;
  if (connection_ != nullptr) connection_->MarkReady(this);
}

void MemoryReceiver::Settle(std::span<const Settlement> settlements) {
  if (connection_ == nullptr || state_ == State::kClosed) return;
  connection_->MarkReady(this);
  if (queue_ != nullptr) {
    queue_->Settle(&consumer_, settlements, &settled_);
    return;
  }
  for (const Settlement& one : settlements) {
    settled_.push_back({one.token, one.verb,
                        absl::AbortedError("nothing was delivered yet"),
                        absl::InfinitePast()});
  }
}

absl::Status MemoryReceiver::AcceptLane(std::string_view name) {
  if (state_ == State::kOpen && !queue_->options().sessions) {
    return absl::FailedPreconditionError(queue_->name() +
                                         ": the entity has no sessions");
  }
  accepting_.emplace_back(name);
  if (connection_ != nullptr) connection_->MarkReady(this);
  return absl::OkStatus();
}

void MemoryReceiver::DropLane(Lane lane, uint32_t epoch) {
  if (queue_ == nullptr || !queue_->options().sessions) return;
  queue_->DropSession(&consumer_, static_cast<uint32_t>(lane), epoch);
  if (connection_ != nullptr) connection_->MarkReady(this);
}

void MemoryReceiver::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosing;
  if (connection_ != nullptr) connection_->MarkReady(this);
}

void MemoryReceiver::Open() {
  absl::StatusOr<Entity> entity = connection_->Resolve(config_);
  if (!entity.ok()) {
    CloseWith(entity.status());
    return;
  }
  if (entity->queue == nullptr) {
    CloseWith(
        absl::InvalidArgumentError(config_.entity +
                                   ": a topic can't be received from; name a "
                                   "subscription, TOPIC/Subscriptions/NAME"));
    return;
  }
  queue_ = entity->queue;
  queue_->Attach(&consumer_);
  state_ = State::kOpen;
  sink_->OnOpened(LinkCapabilities(queue_->options()));
}

bool MemoryReceiver::Step() {
  if (state_ == State::kClosed) return false;
  if (state_ == State::kOpening) {
    Open();
    if (state_ != State::kOpen) return false;
  }
  TellSettled();
  if (state_ == State::kOpen && queue_->deleted()) {
    Leave(false);
    CloseWith(absl::NotFoundError(config_.entity + ": the entity was deleted"));
    return false;
  }
  if (state_ == State::kClosing) {
    Leave(false);
    TellSettled();
    CloseWith(absl::OkStatus());
    return false;
  }
  if (queue_->options().sessions) TellLanes();
  DeliverLate();
  if (draining_ && late_.empty()) {
    draining_ = false;
    sink_->OnDrained();
  }
  return Deliver();
}

void MemoryReceiver::TellSettled() {
  if (settled_.empty()) return;
  telling_.swap(settled_);
  sink_->OnSettled(telling_);
  telling_.clear();
}

void MemoryReceiver::TellLanes() {
  for (const std::string& name : std::exchange(accepting_, {})) {
    queue_->AskSession(&consumer_, name);
  }
  std::vector<LaneEvent> events;
  queue_->TakeEvents(&consumer_, &events);
  for (const LaneEvent& event : events) {
    const auto lane = static_cast<uint32_t>(event.lane);
    if (event.state == LaneState::kOpened) {
      lanes_[lane] = event.epoch;
    } else {
      DropLate(lane);
      lanes_.erase(lane);
      lane_credit_.erase(lane);
    }
    sink_->OnLane(event);
  }
}

Credit* MemoryReceiver::CreditOf(uint32_t lane) {
  auto own = lane_credit_.find(lane);
  return own == lane_credit_.end() ? &credit_ : &own->second;
}

bool MemoryReceiver::Deliver() {
  if (!queue_->options().sessions) {
    DeliverLane(0);
  } else {
    std::vector<uint32_t> open;
    for (const auto& [lane, epoch] : lanes_) open.push_back(lane);
    for (uint32_t lane : open) DeliverLane(lane);
  }
  return !consumer_.parked.load(std::memory_order_acquire) &&
         (credit_.any() ||
          std::any_of(lane_credit_.begin(), lane_credit_.end(),
                      [](const auto& c) { return c.second.any(); }));
}

void MemoryReceiver::DeliverLane(uint32_t lane) {
  Credit* credit = CreditOf(lane);
  if (!credit->any()) return;
  inbound_.clear();
  queue_->Take(&consumer_, lane, kBatch, credit, &inbound_);
  if (inbound_.empty()) return;
  const Nanos delay = connection_->broker().delay();
  if (delay > 0 || !late_.empty()) {
    const Nanos due = absl::ToUnixNanos(connection_->broker().Steady()) + delay;
    for (Inbound& inbound : inbound_) {
      late_.emplace_back(due, std::move(inbound));
    }
  } else {
    sink_->OnDeliveries(inbound_);
  }
  inbound_.clear();
}

void MemoryReceiver::DeliverLate() {
  if (late_.empty()) return;
  const Nanos steady = absl::ToUnixNanos(connection_->broker().Steady());
  inbound_.clear();
  while (!late_.empty() && late_.front().first <= steady) {
    inbound_.push_back(std::move(late_.front().second));
    late_.pop_front();
  }
  if (!inbound_.empty()) sink_->OnDeliveries(inbound_);
  inbound_.clear();
}

void MemoryReceiver::DropLate(uint32_t lane) {
  std::erase_if(late_, [&](const auto& late) {
    const Inbound& inbound = late.second;
    if (static_cast<uint32_t>(inbound.token.lane) != lane) return false;
    Credit* const credit = CreditOf(lane);
    credit->messages += 1;
    credit->bytes += inbound.message.size_estimate();
    return true;
  });
}

Nanos MemoryReceiver::Due() {
  if (state_ != State::kOpen) return kNever;
  const Nanos late = late_.empty() ? kNever : late_.front().first;
  return queue_->timed() ? std::min(late, queue_->NextDue()) : late;
}

absl::Status MemoryReceiver::TakeDeferred(const driver::Request& request,
                                          std::vector<Inbound>* out) {
  if (queue_ == nullptr || state_ != State::kOpen) {
    return absl::FailedPreconditionError("the receiver is not open");
  }
  uint32_t lane = 0;
  if (queue_->options().sessions && !lanes_.empty()) {
    lane = lanes_.begin()->first;
  }
  return queue_->TakeDeferred(&consumer_, lane, request.numbers, out);
}

void MemoryReceiver::Leave(bool lost) {
  late_.clear();  // the queue has them again
  if (queue_ != nullptr) queue_->Detach(&consumer_, lost);
}

void MemoryReceiver::Finish(bool in_order) {
  if (state_ == State::kClosed) return;
  Leave(!in_order);
  if (!in_order) {
    // They reached the broker; their answers did not come back.
    for (Settled& one : settled_) {
      one.status = absl::UnavailableError(
          "the connection was lost before the broker answered");
    }
  }
  TellSettled();
  state_ = State::kClosed;
}

void MemoryReceiver::CloseWith(const absl::Status& why) {
  state_ = State::kClosed;
  sink_->OnClosed(why);
}

}  // namespace memory
}  // namespace tieline::inline v0
