// What is rarely asked of a queue: deferred, scheduled, peek, counts.
#include <algorithm>
#include <utility>

#include "adapters/memory/queue.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::Inbound;

absl::Status Queue::TakeDeferred(Consumer* consumer, uint32_t lane,
                                 std::span<const int64_t> numbers,
                                 std::vector<Inbound>* out) {
  Rings rings;
  MutexLock lock(&mu_);
  if (HasTimers()) RunTimers(&rings);
  const uint32_t epoch = EpochOf(*consumer, lane);
  if (epoch == 0) {
    return absl::FailedPreconditionError(name_ + ": accept the session first");
  }
  for (int64_t number : numbers) {
    auto it = deferred_.find(number);
    const bool other_session =
        it != deferred_.end() && options_.sessions &&
        it->second.message.key() != consumer->lanes.at(lane).session->name;
    if (it == deferred_.end() || other_session) {
      return MakeStatus(absl::StatusCode::kNotFound,
                        "{}: no deferred message has number {}", name_, number);
    }
  }
  const Nanos due =
      locks_expire_ && !options_.sessions ? SteadyNow() + lock_nanos_ : kNever;
  for (int64_t number : numbers) {
    auto node = deferred_.extract(number);
    if (node.empty()) continue;  // named twice
    out->push_back(Hand(consumer, lane, epoch, std::move(node.mapped()), due));
    out->back().locked_until = Wall(due);
  }
  return absl::OkStatus();
}

absl::Status Queue::CancelScheduled(std::span<const int64_t> numbers) {
  Rings rings;
  MutexLock lock(&mu_);
  absl::Status status;
  for (int64_t number : numbers) {
    Stored stored;
    if (scheduler_.Cancel(number, &stored)) {
      Left(1, &rings);
    } else {
      status =
          MakeStatus(absl::StatusCode::kNotFound,
                     "{}: no scheduled message has number {}", name_, number);
    }
  }
  return status;
}

void Queue::Peek(int64_t from, size_t max, std::vector<Inbound>* out) {
  Rings rings;
  MutexLock lock(&mu_);
  if (HasTimers()) RunTimers(&rings);
  std::vector<const Stored*> found;
  const auto add = [&](const Stored& stored) {
    if (stored.sequence >= from) found.push_back(&stored);
  };
  const auto add_line = [&](Line* line) {
    const size_t enough = found.size() + max;
    line->ForEach(from, [&](const Stored& stored) {
      add(stored);
      return found.size() < enough;
    });
  };
  add_line(&line_);
  sessions_.ForEach([&](Session* session) { add_line(&session->line); });
  for (const auto& [number, stored] : deferred_) add(stored);
  scheduler_.ForEach(add);
  for (Consumer* c : consumers_) c->locks.ForEach(add);
  std::sort(found.begin(), found.end(), [](const Stored* a, const Stored* b) {
    return a->sequence < b->sequence;
  });
  if (found.size() > max) found.resize(max);
  for (const Stored* stored : found) {
    Inbound in;
    in.message = stored->message;
    in.position = stored->sequence;
    in.attempts = stored->attempts;
    in.redelivered = stored->redelivered;
    out->push_back(std::move(in));
  }
}

EntityState Queue::State() const {
  EntityState state;
  state.name = name_;
  state.kind = kind_;
  MutexLock lock(&mu_);
  state.active = line_.size() + sessions_.active();
  for (const Consumer* c : consumers_) state.locked += c->locks.size();
  state.deferred = deferred_.size();
  state.scheduled = scheduler_.scheduled();
  state.receivers = consumers_.size();
  return state;
}

}  // namespace memory
}  // namespace tieline::inline v0
