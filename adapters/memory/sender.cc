#include "adapters/memory/sender.h"

#include <algorithm>

namespace tieline::inline v0 {
namespace memory {

using driver::Fate;
using driver::Outbound;
using driver::Outcome;

namespace {

// Answers that wait to be told, at most; then Submit takes nothing.
constexpr size_t kMaxUntold = 16384;

}  // namespace

MemorySender::MemorySender(MemoryConnection* connection, QueueConfig queue,
                           driver::SenderSink* sink)
    : Handle(connection),
      queue_(std::move(queue)),
      sink_(sink),
      vacancy_(std::make_shared<Vacancy>()) {
  vacancy_->bell = connection->bell();
}

MemorySender::~MemorySender() {
  if (connection_ != nullptr) connection_->Forget(this);
}

size_t MemorySender::Submit(std::span<const Outbound> batch, bool atomic) {
  if (batch.empty() || atomic) return 0;
  if (state_ != State::kOpen ||
      outcomes_.size() + delayed_.size() >= kMaxUntold) {
    blocked_ = true;
    return 0;
  }
  connection_->MarkReady(this);
  const size_t room = kMaxUntold - outcomes_.size() - delayed_.size();
  if (batch.size() > room) {
    blocked_ = true;
    batch = batch.first(room);
  }
  // Of when it came, not of when others could see it.
  const Nanos delay = connection_->broker().delay();
  const Nanos due =
      delay <= 0 ? 0
                 : absl::ToUnixNanos(connection_->broker().Steady()) + delay;
  if (refusing_) {
    for (const Outbound& one : batch) {
      outcomes_.push_back(refusal_);
      outcomes_.back().cookie = one.cookie;
    }
    HoldBack(due);
    return batch.size();
  }
  if (entity_.queue != nullptr) {
    entity_.queue->Put(batch, vacancy_, &outcomes_, &lost_);
  } else {
    entity_.topic->Put(batch, &outcomes_);
  }
  if (!outcomes_.empty() && outcomes_.back().fate == Fate::kNotTaken) {
    refusing_ = true;
    refusal_ = outcomes_.back();
  }
  HoldBack(due);
  return batch.size();
}

void MemorySender::HoldBack(Nanos due) {
  if (due == 0 && delayed_.empty()) return;
  for (Outcome& outcome : outcomes_) {
    delayed_.emplace_back(due, std::move(outcome));
  }
  outcomes_.clear();
}

void MemorySender::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosing;
  if (connection_ != nullptr) connection_->MarkReady(this);
}

void MemorySender::Open() {
  absl::StatusOr<Entity> entity = connection_->Resolve(queue_);
  if (!entity.ok()) {
    CloseWith(entity.status());
    return;
  }
  entity_ = *std::move(entity);
  state_ = State::kOpen;
  sink_->OnOpened(LinkCapabilities(
      entity_.queue != nullptr ? entity_.queue->options() : EntityOptions()));
}

bool MemorySender::Step() {
  if (state_ == State::kClosed) return false;
  const bool opening = state_ == State::kOpening;
  if (opening) {
    Open();
    if (state_ == State::kClosed) return false;
  }
  Tell();
  const bool vacant = vacancy_->sendable.exchange(false);
  if (state_ == State::kOpen && (blocked_ || vacant)) {
    blocked_ = false;
    sink_->OnSendable();
  }
  const bool deleted = state_ == State::kOpen && entity_.deleted();
  if (!delayed_.empty()) return false;  // Due() says when
  if (state_ == State::kClosing || deleted) {
    GiveUp(absl::UnavailableError("the sender was closed before an answer"));
    CloseWith(deleted ? absl::NotFoundError(queue_.entity +
                                            ": the entity was deleted")
                      : absl::OkStatus());
  }
  return false;
}

void MemorySender::Tell() {
  if (!delayed_.empty()) {
    const Nanos steady = absl::ToUnixNanos(connection_->broker().Steady());
    while (!delayed_.empty() && delayed_.front().first <= steady) {
      outcomes_.push_back(std::move(delayed_.front().second));
      delayed_.pop_front();
    }
  }
  if (outcomes_.empty()) return;
  if (delayed_.empty()) refusing_ = false;
  telling_.swap(outcomes_);
  sink_->OnOutcomes(telling_);
  telling_.clear();
}

Nanos MemorySender::Due() {
  return delayed_.empty() ? kNever : delayed_.front().first;
}

// Nothing more is known of what was not answered.
void MemorySender::GiveUp(const absl::Status& why) {
  std::vector<Outcome> unknown;
  for (uint64_t cookie : std::exchange(lost_, {})) {
    unknown.push_back({cookie, Fate::kUnknown, -1, why, {}});
  }
  for (const auto& [due, outcome] : std::exchange(delayed_, {})) {
    unknown.push_back({outcome.cookie, Fate::kUnknown, -1, why, {}});
  }
  for (const Outcome& outcome : std::exchange(outcomes_, {})) {
    unknown.push_back({outcome.cookie, Fate::kUnknown, -1, why, {}});
  }
  if (!unknown.empty()) sink_->OnOutcomes(unknown);
}

void MemorySender::Finish(bool in_order) {
  if (state_ == State::kClosed) return;
  if (in_order && !outcomes_.empty()) {
    telling_.swap(outcomes_);
    sink_->OnOutcomes(telling_);
    telling_.clear();
  }
  GiveUp(absl::UnavailableError("the connection was lost before an answer"));
  state_ = State::kClosed;
}

void MemorySender::CloseWith(const absl::Status& why) {
  state_ = State::kClosed;
  sink_->OnClosed(why);
}

}  // namespace memory
}  // namespace tieline::inline v0
