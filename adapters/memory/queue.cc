// Sending: how messages come into a queue, and the times they wait for.
#include "adapters/memory/queue.h"

#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace memory {

using driver::Fate;
using driver::Outbound;
using driver::Outcome;

namespace {

constexpr absl::Duration kFullWait = absl::Milliseconds(20);

Outcome Refused(uint64_t cookie, Fate fate, absl::Status why,
                absl::Duration wait = absl::ZeroDuration()) {
  return {cookie, fate, -1, std::move(why), wait};
}

Nanos Later(Nanos from, absl::Duration by) {
  if (by >= absl::Nanoseconds(kNever - from)) return kNever;
  return from + absl::ToInt64Nanoseconds(by);
}

}  // namespace

struct Queue::Reading {
  explicit Reading(const Clock* c) : clock(c) {}
  Nanos steady() {
    if (!read) {
      steady_now = absl::ToUnixNanos(clock->Steady());
      wall_now = clock->Now();
      read = true;
    }
    return steady_now;
  }
  absl::Time wall() {
    steady();
    return wall_now;
  }
  const Clock* clock;
  bool over = false;  // whatever the bound
  bool read = false;
  Nanos steady_now = 0;
  absl::Time wall_now;
};

Queue::Queue(std::string name, std::string kind, const EntityOptions& options,
             Clock* clock, const std::shared_ptr<Queue>& dead_letters_of)
    : name_(std::move(name)),
      kind_(std::move(kind)),
      options_(options),
      clock_(clock),
      is_dead_letter_queue_(dead_letters_of != nullptr),
      parent_(dead_letters_of),
      locks_expire_(options.lock_duration != absl::InfiniteDuration()),
      lock_nanos_(absl::ToInt64Nanoseconds(options.lock_duration)),
      timed_(locks_expire_) {}

std::shared_ptr<Queue> Queue::DeadLetters() {
  if (is_dead_letter_queue_) return nullptr;
  MutexLock lock(&mu_);
  MakeDeadLetters();
  return dead_letters_;
}

void Queue::MakeDeadLetters() {
  if (dead_letters_ != nullptr) return;
  EntityOptions options;
  options.lock_duration = options_.lock_duration;
  options.max_delivery_count = 0;
  options.max_messages = options_.max_messages;
  dead_letters_ = std::make_shared<Queue>(name_ + "/$DeadLetterQueue", kind_,
                                          options, clock_, shared_from_this());
}

std::shared_ptr<Queue> Queue::FindDeadLetters() const {
  MutexLock lock(&mu_);
  return dead_letters_;
}

bool Queue::HasRoom(size_t n) const {
  MutexLock lock(&mu_);
  return total_ + n <= options_.max_messages;
}

int64_t Queue::last_sequence() const {
  MutexLock lock(&mu_);
  return sequence_;
}

void Queue::Put(std::span<const Outbound> batch,
                const std::shared_ptr<Vacancy>& vacancy,
                std::vector<Outcome>* outcomes, std::vector<uint64_t>* lost) {
  Rings rings;
  Reading reading(clock_);
  MutexLock lock(&mu_);
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!faults_.empty()) {
      if (PutFaulty(batch[i], &reading, &rings, outcomes, lost)) continue;
    } else {
      outcomes->push_back(PutOne(batch[i], &reading, &rings));
    }
    if (outcomes->empty() || outcomes->back().cookie != batch[i].cookie ||
        outcomes->back().fate != Fate::kNotTaken) {
      continue;
    }
    const Outcome first = outcomes->back();
    for (const Outbound& rest : batch.subspan(i + 1)) {
      outcomes->push_back(
          Refused(rest.cookie, Fate::kNotTaken, first.why, first.wait));
    }
    if (vacancy != nullptr && total_ >= options_.max_messages) {
      vacancy->sendable.store(false, std::memory_order_relaxed);
      refused_.push_back(vacancy);
    }
    return;
  }
}

void Queue::PutOver(const Outbound& one) {
  Rings rings;
  Reading reading(clock_);
  reading.over = true;
  MutexLock lock(&mu_);
  PutOne(one, &reading, &rings);
}

absl::Status Queue::Accepts(const Message& message) const {
  if (options_.max_message_bytes > 0 &&
      message.size_estimate() > options_.max_message_bytes) {
    return InvalidArgument(
        "{}: the message takes {} bytes, more than the {} that the entity "
        "allows",
        name_, message.size_estimate(), options_.max_message_bytes);
  }
  if (options_.sessions && !message.has(Field::kKey)) {
    return InvalidArgument(
        "{}: the entity has sessions, so every message needs a key", name_);
  }
  return absl::OkStatus();
}

Outcome Queue::PutOne(const Outbound& one, Reading* reading, Rings* rings) {
  const Message& message = *one.message;
  if (options_.max_message_bytes > 0 || options_.sessions) {
    absl::Status refusal = Accepts(message);
    if (!refusal.ok()) {
      return Refused(one.cookie, Fate::kRejected, std::move(refusal));
    }
  }
  if (total_ >= options_.max_messages && !reading->over) {
    return Refused(one.cookie, Fate::kNotTaken,
                   MakeStatus(absl::StatusCode::kResourceExhausted,
                              "{}: full with {} messages", name_, total_),
                   kFullWait);
  }
  const bool dedupe =
      options_.duplicate_window > absl::ZeroDuration() && !message.id().empty();
  if (dedupe) {
    const int64_t first = seen_.Find(message.id(), reading->steady());
    if (first >= 0) return {one.cookie, Fate::kAccepted, first, {}, {}};
  }
  const int64_t sequence = ++sequence_;
  if (dedupe) {
    seen_.Add(message.id(), sequence,
              Later(reading->steady(), options_.duplicate_window));
  }
  ++total_;
  Stored stored{message, sequence};
  const bool fields = driver::LightPropertiesOf(message) == nullptr;
  Nanos from = 0;
  if (fields && message.has(Field::kDeliverAt)) {
    from = DeliverAt(message, reading);
  }
  if (fields || options_.default_ttl != absl::InfiniteDuration()) {
    stored.expires = Expiry(message, from, reading);
  }
  if (from > 0) {
    const Nanos before = scheduler_.Next();
    scheduler_.Schedule(from, std::move(stored));
    if (from < before) TimerMoved(rings);
  } else {
    Enqueue(std::move(stored), rings);
  }
  return {one.cookie, Fate::kAccepted, sequence, {}, {}};
}

// 0 when the time has come.
Nanos Queue::DeliverAt(const Message& message, Reading* reading) const {
  const absl::Duration ahead = message.deliver_at() - reading->wall();
  if (ahead <= absl::ZeroDuration()) return 0;
  return Later(reading->steady(), ahead);
}

// Time to live counts from when it can be received (`from`, or now when 0).
Nanos Queue::Expiry(const Message& message, Nanos from,
                    Reading* reading) const {
  const absl::Duration ttl = std::min(message.ttl(), options_.default_ttl);
  Nanos expires = kNever;
  if (ttl != absl::InfiniteDuration()) {
    expires = Later(from > 0 ? from : reading->steady(), ttl);
  }
  if (message.has(Field::kExpires)) {
    const absl::Duration left =
        std::max(message.expires() - reading->wall(), absl::ZeroDuration());
    expires = std::min(expires, Later(reading->steady(), left));
  }
  return expires;
}

bool Queue::PutFaulty(const Outbound& one, Reading* reading, Rings* rings,
                      std::vector<Outcome>* outcomes,
                      std::vector<uint64_t>* lost) {
  const FaultPlan plan = faults_.front();
  if (--faults_.front().count == 0) faults_.pop_front();
  switch (plan.fault) {
    case SendFault::kNotTaken:
      outcomes->push_back(Refused(
          one.cookie, Fate::kNotTaken,
          MakeStatus(absl::StatusCode::kUnavailable, "{}: refused", name_)));
      return false;
    case SendFault::kRejected:
      outcomes->push_back(Refused(one.cookie, Fate::kRejected,
                                  InvalidArgument("{}: rejected", name_)));
      return false;
    case SendFault::kBusy:
      outcomes->push_back(
          Refused(one.cookie, Fate::kNotTaken,
                  MakeStatus(absl::StatusCode::kResourceExhausted,
                             "{}: the broker is busy", name_),
                  plan.wait));
      return false;
    case SendFault::kLoseOutcome:
      lost->push_back(one.cookie);
      return true;
    case SendFault::kAcceptThenLose:
      PutOne(one, reading, rings);
      lost->push_back(one.cookie);
      return true;
  }
  return false;
}

void Queue::Fail(SendFault fault, size_t count, absl::Duration wait) {
  MutexLock lock(&mu_);
  if (count > 0) {
    faults_.push_back({fault, count, wait});
  } else {
    faults_.clear();
  }
}

void Queue::Enqueue(Stored stored, Rings* rings) {
  const bool watched = stored.expires != kNever;
  const Nanos before = watched ? scheduler_.Next() : 0;
  const Nanos expires = stored.expires;
  if (options_.sessions) {
    Session* session = sessions_.Get(stored.message.key());
    if (watched) scheduler_.WatchExpiry(stored, session->name);
    session->line.Append(std::move(stored));
    if (session->owner != nullptr) {
      Unpark(session->owner, rings);
    } else {
      sessions_.ListIfFree(session);
      WakeAll(rings);
    }
  } else {
    if (watched) scheduler_.WatchExpiry(stored, "");
    line_.Append(std::move(stored));
    if (!parked_.empty()) WakeOne(rings);
  }
  if (watched && expires < before) TimerMoved(rings);
}

// `counts`: it was an attempt.
void Queue::GiveBack(Stored stored, bool counts, Rings* rings) {
  stored.redelivered = true;
  if (counts) {
    ++stored.attempts;
    if (options_.max_delivery_count > 0 &&
        stored.attempts >= options_.max_delivery_count) {
      DeadLetter(std::move(stored), "MaxDeliveryCountExceeded",
                 fmt::format("delivered {} times", options_.max_delivery_count),
                 rings);
      return;
    }
  }
  if (options_.sessions) {
    Session* session = sessions_.Get(stored.message.key());
    if (stored.expires != kNever) {
      scheduler_.WatchExpiry(stored, session->name);
    }
    session->line.Return(std::move(stored));
    if (session->owner != nullptr) Unpark(session->owner, rings);
    return;  // a free one is listed by who gave it up
  }
  if (stored.expires != kNever) scheduler_.WatchExpiry(stored, "");
  line_.Return(std::move(stored));
  WakeOne(rings);
}

void Queue::DeadLetter(Stored stored, std::string_view reason,
                       std::string_view detail, Rings* rings) {
  Left(1, rings);
  MakeDeadLetters();
  if (!reason.empty()) {
    stored.message.set_property("DeadLetterReason", std::string(reason));
  }
  if (!detail.empty()) {
    stored.message.set_property("DeadLetterErrorDescription",
                                std::string(detail));
  }
  dead_letters_->PutDead(std::move(stored), rings);
}

void Queue::PutDead(Stored stored, Rings* rings) {
  MutexLock lock(&mu_);
  stored.sequence = ++sequence_;
  stored.expires = kNever;
  stored.attempts = 0;
  stored.redelivered = false;
  ++total_;
  line_.Append(std::move(stored));
  WakeOne(rings);
}

// `n` messages are the entity's no more.
void Queue::Left(size_t n, Rings* rings) {
  total_ -= n;
  if (refused_.empty() || total_ >= options_.max_messages) return;
  for (auto& vacancy : refused_) {
    vacancy->sendable.store(true, std::memory_order_release);
    rings->Add(vacancy->bell);
  }
  refused_.clear();
}

}  // namespace memory
}  // namespace tieline::inline v0
