// Receiving: who waits at a queue, what is handed out and how it settles.
#include <algorithm>
#include <utility>

#include "adapters/memory/queue.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::Inbound;
using driver::Settled;
using driver::Settlement;
using driver::Verb;

namespace {

absl::Status Stale() {
  return absl::AbortedError(
      "the delivery is not held any more: it was settled, its lock ran out, or "
      "its session was given up");
}

}  // namespace

absl::Time Queue::Wall(Nanos steady) const {
  if (steady == kNever) return absl::InfiniteFuture();
  return clock_->Now() + absl::Nanoseconds(steady - SteadyNow());
}

void Queue::Attach(Consumer* consumer) {
  MutexLock lock(&mu_);
  consumers_.push_back(consumer);
}

void Queue::Detach(Consumer* consumer, bool lost) {
  Rings rings;
  MutexLock lock(&mu_);
  if (std::erase(consumers_, consumer) == 0) return;
  std::erase(parked_, consumer);
  while (!consumer->lanes.empty()) {
    Disown(consumer, consumer->lanes.begin()->first, lost, {}, &rings);
  }
  consumer->locks.RemoveAll([&](Stored stored) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    GiveBack(std::move(stored), lost, &rings);
  });
  if (!line_.empty()) WakeOne(&rings);
  // Someone else has to keep the times that it kept.
  if (HasTimers()) WakeAll(&rings);
}

void Queue::Park(Consumer* consumer) {
  if (consumer->parked.load(std::memory_order_relaxed)) return;
  consumer->parked.store(true, std::memory_order_relaxed);
  parked_.push_back(consumer);
}

void Queue::WakeOne(Rings* rings) {
  if (parked_.empty()) return;
  Consumer* consumer = parked_.back();
  parked_.pop_back();
  consumer->parked.store(false, std::memory_order_release);
  rings->Add(consumer->bell);
}

void Queue::WakeAll(Rings* rings) {
  while (!parked_.empty()) WakeOne(rings);
}

void Queue::Unpark(Consumer* consumer, Rings* rings) {
  if (!consumer->parked.load(std::memory_order_relaxed)) return;
  std::erase(parked_, consumer);
  consumer->parked.store(false, std::memory_order_release);
  rings->Add(consumer->bell);
}

void Queue::TimerMoved(Rings* rings) {
  timed_.store(true, std::memory_order_release);
  WakeAll(rings);
  if (dead_letters_ == nullptr) return;
  MutexLock lock(&dead_letters_->mu_);
  dead_letters_->WakeAll(rings);
}

Inbound Queue::Hand(Consumer* consumer, uint32_t lane, uint32_t epoch,
                    Stored stored, Nanos due) {
  Inbound in;
  in.message = stored.message;
  in.position = stored.sequence;
  in.attempts = stored.attempts;
  in.redelivered = stored.redelivered;
  in.token = {driver::Lane{lane}, epoch,
              consumer->locks.Add(std::move(stored), due, lane)};
  return in;
}

void Queue::Take(Consumer* consumer, uint32_t lane, size_t max, Credit* credit,
                 std::vector<Inbound>* out) {
  if (auto parent = parent_.lock()) parent->Tick();
  Rings rings;
  MutexLock lock(&mu_);
  if (HasTimers()) RunTimers(&rings);
  const uint32_t epoch = EpochOf(*consumer, lane);
  if (epoch == 0) return;
  Line& line =
      options_.sessions ? consumer->lanes.at(lane).session->line : line_;
  const bool expire_each = locks_expire_ && !options_.sessions;
  const Nanos due =
      expire_each ? absl::ToUnixNanos(clock_->Steady()) + lock_nanos_ : kNever;
  const size_t begin = out->size();
  while (out->size() - begin < max && credit->any() && !line.empty()) {
    Stored stored = line.Pop();
    if (stored.expires != kNever) scheduler_.ForgetExpiry(stored);
    credit->Spend(stored.message.body_view().size());
    out->push_back(Hand(consumer, lane, epoch, std::move(stored), due));
  }
  if (locks_expire_) {
    const absl::Time until =
        Wall(options_.sessions ? consumer->lanes.at(lane).session->due : due);
    for (size_t i = begin; i < out->size(); ++i) {
      (*out)[i].locked_until = until;
    }
  }
  if (line.empty()) {
    Park(consumer);
  } else if (!options_.sessions && !parked_.empty()) {
    WakeOne(&rings);  // there is more than this one takes now
  }
}

uint32_t Queue::EpochOf(const Consumer& consumer, uint32_t lane) const {
  if (!options_.sessions) return lane == 0 ? kPlainEpoch : 0;
  auto it = consumer.lanes.find(lane);
  return it == consumer.lanes.end() ? 0 : it->second.epoch;
}

void Queue::Settle(Consumer* consumer, std::span<const Settlement> list,
                   std::vector<Settled>* answers) {
  {
    Rings rings;
    MutexLock lock(&mu_);
    if (HasTimers()) RunTimers(&rings);
    for (const Settlement& one : list) {
      Settled answer{one.token, one.verb, {}, absl::InfinitePast()};
      answer.status = SettleOne(consumer, one, &answer, &rings);
      answers->push_back(std::move(answer));
    }
  }
  consumer->trash.clear();
}

absl::Status Queue::SettleOne(Consumer* consumer, const Settlement& one,
                              Settled* answer, Rings* rings) {
  const auto lane = static_cast<uint32_t>(one.token.lane);
  const uint32_t epoch = EpochOf(*consumer, lane);
  if (epoch == 0 || epoch != one.token.epoch) return Stale();
  if (one.verb == Verb::kRenew && one.token.id == 0) {
    return RenewLane(consumer, one.token, answer);
  }
  Locks::Held* held = consumer->locks.Find(one.token.id);
  if (held == nullptr || held->lane != lane) return Stale();
  if (one.verb == Verb::kRenew) {
    if (options_.sessions) return RenewLane(consumer, one.token, answer);
    if (locks_expire_) consumer->locks.Renew(held, SteadyNow() + lock_nanos_);
    answer->locked_until = Wall(held->due);
    return absl::OkStatus();
  }
  if (one.verb == Verb::kDeadLetter && is_dead_letter_queue_) {
    return absl::FailedPreconditionError(
        name_ + ": messages of a dead-letter queue can't be dead-lettered");
  }
  Stored stored = consumer->locks.Remove(held);
  if (one.amend != nullptr && one.verb != Verb::kComplete) {
    for (const Property& p : *one.amend) {
      stored.message.set_property(p.name, p.value);
    }
  }
  switch (one.verb) {
    case Verb::kComplete:
      consumer->trash.push_back(std::move(stored.message));
      Left(1, rings);
      break;
    case Verb::kAbandon:
    case Verb::kRelease:
      GiveBack(std::move(stored), one.verb == Verb::kAbandon, rings);
      break;
    case Verb::kDeadLetter:
      DeadLetter(std::move(stored), one.reason, one.detail, rings);
      break;
    case Verb::kDefer: {
      const int64_t sequence = stored.sequence;
      deferred_.emplace(sequence, std::move(stored));
      break;
    }
    case Verb::kRenew:
      break;
  }
  return absl::OkStatus();
}

Nanos Queue::NextDue() {
  Nanos next = kNever;
  if (auto parent = parent_.lock()) next = parent->NextDue();
  MutexLock lock(&mu_);
  next = std::min(next, scheduler_.Next());
  if (locks_expire_) {
    // Who takes a lock from now on holds it for so long, so that none runs out
    // before this without being looked at.
    next = std::min(next, SteadyNow() + lock_nanos_);
    for (Consumer* c : consumers_) {
      if (Locks::Held* first = c->locks.First()) {
        next = std::min(next, first->due);
      }
      for (const auto& [lane, own] : c->lanes) {
        next = std::min(next, own.session->due);
      }
    }
  }
  return next;
}

void Queue::Tick() {
  Rings rings;
  MutexLock lock(&mu_);
  if (HasTimers()) RunTimers(&rings);
}

void Queue::RunTimers(Rings* rings) {
  const Nanos now = SteadyNow();
  Stored stored;
  while (scheduler_.PopDue(now, &stored)) {
    // A scheduled message gets its place in the order when its time comes.
    stored.sequence = ++sequence_;
    Enqueue(std::move(stored), rings);
  }
  if (scheduler_.Next() <= now) ExpireMessages(now, rings);
  if (locks_expire_) ExpireLocks(now, rings);
}

void Queue::ExpireMessages(Nanos now, Rings* rings) {
  int64_t sequence;
  std::string name;
  while (scheduler_.PopExpired(now, &sequence, &name)) {
    Session* session = options_.sessions ? sessions_.Find(name) : nullptr;
    Line& line = session != nullptr ? session->line : line_;
    Stored stored;
    if (!line.Remove(sequence, &stored)) continue;
    if (session != nullptr) sessions_.EraseIfDone(session);
    if (options_.dead_letter_expired) {
      DeadLetter(std::move(stored), "TTLExpiredException",
                 "the message's time to live was over", rings);
    } else {
      Left(1, rings);
    }
  }
}

void Queue::ExpireLocks(Nanos now, Rings* rings) {
  for (Consumer* c : consumers_) {
    while (Locks::Held* first = c->locks.First()) {
      if (first->due > now) break;
      GiveBack(c->locks.Remove(first), true, rings);
    }
    std::vector<uint32_t> over;
    for (const auto& [lane, own] : c->lanes) {
      if (own.session->due <= now) over.push_back(lane);
    }
    for (uint32_t lane : over) {
      Disown(c, lane, true, absl::AbortedError("the session's lock ran out"),
             rings);
      rings->Add(c->bell);
    }
  }
}

}  // namespace memory
}  // namespace tieline::inline v0
