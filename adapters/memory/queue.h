// Queue: one entity that holds messages (a queue, a subscription or a
// dead-letter queue), and the only place where producers and consumers meet.
//
// Threads: every public function from any thread; each takes the mutex once a
// batch. A Consumer's functions are called by its receiver's thread alone. Lock
// order: a queue's mutex, then its dead-letter queue's; bells are rung with no
// lock held, messages are freed with no lock held.
#ifndef TIELINE_ADAPTERS_MEMORY_QUEUE_H_
#define TIELINE_ADAPTERS_MEMORY_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/memory/doorbell.h"
#include "adapters/memory/line.h"
#include "adapters/memory/locks.h"
#include "adapters/memory/scheduler.h"
#include "adapters/memory/seen_ids.h"
#include "adapters/memory/sessions.h"
#include "lib/base/mutex.h"
#include "tieline/driver/types.h"
#include "tieline/memory.h"

namespace tieline::inline v0 {
namespace memory {

// What a receiver may still be given.
struct Credit {
  uint64_t messages = 0;
  uint64_t bytes = 0;

  bool any() const { return messages > 0 && bytes > 0; }
  void Spend(size_t size) {
    --messages;
    bytes -= std::min<uint64_t>(bytes, size);
  }
};

// One receiver at a queue. Everything but `parked` is guarded by the queue's
// mutex.
struct Consumer {
  explicit Consumer(std::shared_ptr<Doorbell> b) : bell(std::move(b)) {}

  struct OwnLane {
    uint32_t epoch = 0;
    Session* session = nullptr;
  };

  std::shared_ptr<Doorbell> bell;
  // It found nothing, and is rung when there is something again.
  std::atomic<bool> parked = false;
  Locks locks;
  std::vector<Message> trash;  // settled, to be freed outside the mutex
  // Sessions it holds, and names it has asked for ("": the next free one).
  std::map<uint32_t, OwnLane> lanes;
  std::deque<std::string> asked;
  uint32_t next_lane = 0;
  std::vector<driver::LaneEvent> events;
};

inline constexpr uint32_t kPlainEpoch = 1;

class Queue : public std::enable_shared_from_this<Queue> {
 public:
  Queue(std::string name, std::string kind, const EntityOptions& options,
        Clock* clock, const std::shared_ptr<Queue>& dead_letters_of = nullptr);

  const std::string& name() const { return name_; }
  const EntityOptions& options() const { return options_; }
  bool is_dead_letter_queue() const { return is_dead_letter_queue_; }
  // Made when first asked for; null for a dead-letter queue.
  std::shared_ptr<Queue> DeadLetters();
  // Null when it was never used.
  std::shared_ptr<Queue> FindDeadLetters() const;

  // Takes what it can of a batch; outcomes in order. Once a message is not
  // taken, none behind it is. Those whose answer is to be lost come in `lost`.
  void Put(std::span<const driver::Outbound> batch,
           const std::shared_ptr<Vacancy>& vacancy,
           std::vector<driver::Outcome>* outcomes, std::vector<uint64_t>* lost);
  // Takes one that Accepts was asked about, however full the queue is: for
  // topics, which ask all their subscriptions first.
  void PutOver(const driver::Outbound& one);
  // Why a message is rejected for good; OK when it isn't.
  absl::Status Accepts(const Message& message) const;
  // Room for `n` more.
  bool HasRoom(size_t n) const;

  void Attach(Consumer* consumer);
  // Gives back what it holds; `lost` counts as an attempt.
  void Detach(Consumer* consumer, bool lost);
  // Delivers up to `max` from a lane within the credit, and parks the consumer
  // when there is nothing more.
  void Take(Consumer* consumer, uint32_t lane, size_t max, Credit* credit,
            std::vector<driver::Inbound>* out);
  // Answers each settlement.
  void Settle(Consumer* consumer, std::span<const driver::Settlement> list,
              std::vector<driver::Settled>* answers);
  // False when NextDue is kNever, without the mutex.
  bool timed() const {
    return is_dead_letter_queue_ || timed_.load(std::memory_order_acquire);
  }
  // When Take is to be called again though nothing arrived (steady).
  Nanos NextDue();
  // Does what is due.
  void Tick();

  // Sessions. Ask: by name, or the next free one; answered by lane events.
  void AskSession(Consumer* consumer, std::string_view name);
  void DropSession(Consumer* consumer, uint32_t lane, uint32_t epoch);
  // Moves the consumer's lane events out, after serving what it asked for.
  void TakeEvents(Consumer* consumer, std::vector<driver::LaneEvent>* out);
  absl::StatusOr<Bytes> SessionState(std::string_view name);
  absl::Status SetSessionState(std::string_view name, Bytes state);

  // kNotFound when one of the numbers is not deferred; then none is taken.
  absl::Status TakeDeferred(Consumer* consumer, uint32_t lane,
                            std::span<const int64_t> numbers,
                            std::vector<driver::Inbound>* out);
  // kNotFound when one is not scheduled; the others are cancelled.
  absl::Status CancelScheduled(std::span<const int64_t> numbers);
  void Peek(int64_t from, size_t max, std::vector<driver::Inbound>* out);
  int64_t last_sequence() const;
  EntityState State() const;

  void Fail(SendFault fault, size_t count, absl::Duration wait);
  void MarkDeleted() { deleted_.store(true, std::memory_order_release); }
  bool deleted() const { return deleted_.load(std::memory_order_acquire); }

 private:
  struct Reading;  // the clock, read when first asked
  struct FaultPlan {
    SendFault fault;
    size_t count;
    absl::Duration wait;
  };

  driver::Outcome PutOne(const driver::Outbound& one, Reading* reading,
                         Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool PutFaulty(const driver::Outbound& one, Reading* reading, Rings* rings,
                 std::vector<driver::Outcome>* outcomes,
                 std::vector<uint64_t>* lost)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Nanos DeliverAt(const Message& message, Reading* reading) const;
  Nanos Expiry(const Message& message, Nanos from, Reading* reading) const;
  // Into its line, where it will be found.
  void Enqueue(Stored stored, Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveBack(Stored stored, bool counts, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DeadLetter(Stored stored, std::string_view reason,
                  std::string_view detail, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeDeadLetters() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutDead(Stored stored, Rings* rings);
  void Left(size_t n, Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void RunTimers(Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ExpireMessages(Nanos now, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ExpireLocks(Nanos now, Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasTimers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return locks_expire_ || scheduler_.Next() != kNever;
  }

  absl::Status SettleOne(Consumer* consumer, const driver::Settlement& one,
                         driver::Settled* answer, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RenewLane(Consumer* consumer, driver::Token token,
                         driver::Settled* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  driver::Inbound Hand(Consumer* consumer, uint32_t lane, uint32_t epoch,
                       Stored stored, Nanos due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The epoch that a lane of the consumer has now; 0: it has no such lane.
  uint32_t EpochOf(const Consumer& consumer, uint32_t lane) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Park(Consumer* consumer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeOne(Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeAll(Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unpark(Consumer* consumer, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A time came up that those who wait don't know of.
  void TimerMoved(Rings* rings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void ServeAsked(Consumer* consumer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Own(Consumer* consumer, Session* session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Disown(Consumer* consumer, uint32_t lane, bool counts,
              const absl::Status& why, Rings* rings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Nanos SteadyNow() const { return absl::ToUnixNanos(clock_->Steady()); }
  absl::Time Wall(Nanos steady) const;

  const std::string name_;
  const std::string kind_;
  const EntityOptions options_;
  Clock* const clock_;
  const bool is_dead_letter_queue_;
  const std::weak_ptr<Queue> parent_;
  const bool locks_expire_;
  const Nanos lock_nanos_;
  std::atomic<bool> deleted_ = false;
  std::atomic<bool> timed_;  // locks expire, or a message once had a time

  mutable Mutex mu_;
  Line line_ ABSL_GUARDED_BY(mu_);
  Sessions sessions_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, Stored> deferred_ ABSL_GUARDED_BY(mu_);
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  SeenIds seen_ ABSL_GUARDED_BY(mu_);
  int64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  uint32_t epoch_ ABSL_GUARDED_BY(mu_) = kPlainEpoch;
  size_t total_ ABSL_GUARDED_BY(mu_) = 0;  // in whatever state
  std::vector<Consumer*> consumers_ ABSL_GUARDED_BY(mu_);
  std::vector<Consumer*> parked_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Vacancy>> refused_ ABSL_GUARDED_BY(mu_);
  std::deque<FaultPlan> faults_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Queue> dead_letters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_QUEUE_H_
