// SendQueue: the messages that a sender has in hand. What is submitted next and
// in which order, what waits for its key, what is sent again, and what becomes
// of each: everything between being taken in and its final result.
//
// Threads: in the sender's strand. Batches are linked into it; it allocates
// nothing for a message.
#ifndef TIELINE_LIB_ENGINE_SEND_QUEUE_H_
#define TIELINE_LIB_ENGINE_SEND_QUEUE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "lib/base/ring.h"
#include "lib/engine/deadline_queue.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/send_batch.h"
#include "lib/policy/backoff.h"
#include "lib/policy/key_window.h"
#include "lib/policy/retry_budget.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {

// Is told of every message that a broker has accepted, while it is there.
class SendKeeper {
 public:
  virtual void Keep(const SendResult& result) = 0;

 protected:
  ~SendKeeper() = default;
};

class SendQueue {
 public:
  // What became of messages since it was last asked.
  struct Turn {
    struct Group {
      uint64_t number = 0;
      uint64_t resolved = 0;
    };
    uint64_t accepted = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    uint64_t spooled = 0;
    uint64_t resent = 0;
    uint64_t bytes = 0;
    std::vector<Group> groups;  // FlushGroups'
    // What the broker answered, of messages from the spool too.
    uint64_t answered = 0;
    // Spooled while the driver had them, with what came of that: accepted?
    // Their address is all that is left of them.
    std::vector<std::pair<const SendResult*, bool>> late;
    uint64_t resolved() const { return accepted + rejected + failed + spooled; }
    bool any() const { return resolved() > 0 || resent > 0; }
    void Clear();
  };

  // `name` is the sender's, in messages; it and the endpoint outlive the queue,
  // or its stay there.
  SendQueue(Endpoint* endpoint, const std::string* name, uint32_t window,
            bool ordered);

  void SetName(const std::string* name) { name_ = name; }
  // Takes the sender's reference over.
  void Add(SendBatchState* batch);
  // The link was opened. `pipelines`: the broker keeps the order of what was
  // submitted though it refuses an earlier one.
  void OnOpened(bool pipelines);
  void OnSendable() { blocked_ = false; }
  // As much as the window and the driver allow.
  void Submit(driver::SenderDriver* driver, absl::Time now);
  void OnOutcomes(std::span<const driver::Outcome> outcomes);
  // Results that must be final by now. `last` is the handle's last error.
  void Expire(absl::Time now, const std::function<absl::Status()>& last);
  // While nothing can be submitted, what has expired must not pile up.
  void PurgeResolved();
  // Everything gets its final result: the sender is closed.
  void CancelAll();
  // What was not submitted fails, but for what observers wait with.
  void FailPermanently(const absl::Status& why);
  // The driver's handle is gone for good: nothing points to a result any more.
  void ReleaseAll();

  // ---- Moving (send_queue_move.cc).
  // From now on another endpoint's driver submits. What the one before has not
  // answered is away: an ordered key waits for it, and what comes back without
  // a final outcome goes first for its key.
  void GoTo(Endpoint* endpoint, const std::string* name);
  // Nothing that is away will be answered: it is in doubt, and sent again.
  void LoseAway();
  uint64_t away() const { return away_.size(); }
  // Of those that were away, how many were sent again; ever.
  uint64_t resent_from_away() const { return resent_from_away_; }
  // Messages are stamped with the generation when they are submitted, from 2
  // on: the first one has none.
  void SetGeneration(uint64_t generation) { generation_ = generation; }

  // ---- Spooling (send_queue_spool.cc).
  // Add in two steps: takes the reference over, and has it submitted behind all
  // that was entered before.
  void Keep(SendBatchState* batch);
  void Enter(SendBatchState* batch) { batches_.push_back(batch); }
  // Of what the application gave: messages without a result.
  uint64_t unresolved() const { return unresolved_; }
  // Those of them that were looked at already, in the order of first
  // submission.
  std::vector<SendResult*> BegunOwn() const;
  // Takes the batches with messages not looked at out: they are kept, and to be
  // entered again, or dropped message by message from SendBatchState::next on.
  std::vector<SendBatchState*> TakeUnbegun();
  // Final results of what is in the spool, and of what is not to be submitted
  // any more.
  void ResolveSpooled(SendResult& result);
  void ResolveNotSent(SendResult& result, absl::Status why);
  // One more, or one less, points to the result.
  static void Point(SendResult& result);
  void Unpoint(SendResult& result) { Drop(result); }
  // What has a result in `batch`, from its `next` on, is pointed to no more.
  void DropRest(SendBatchState* batch);
  // After results were given out of turn.
  void DropResolved();
  // Null: nobody is told. It outlives the queue's work.
  void SetKeeper(SendKeeper* keeper) { keeper_ = keeper; }
  // No driver has anything, or had.
  bool nothing_is_out() const { return in_flight_ == 0 && away_.empty(); }
  // Everything begun, and all from the spool, is out of the way of what is
  // added next, until it is put back, in front. Requires nothing_is_out().
  void SetAside();
  void PutBack();

  // There may be something to submit.
  bool HasWork() const {
    return !batches_.empty() || !ready_.empty() || !resends_.empty();
  }
  // When the next deadline passes or a re-send is due; what waits for an
  // outcome, for room or for the link is told by them.
  absl::Time Next(absl::Time now, bool open) const;

  // The results of a turn are through: counts were taken from `turn`.
  Turn& turn() { return turn_; }
  // After that: tells observers, wakes callers.
  void EndTurn();

 private:
  using Resolver = void (SendQueue::*)(SendResult&, const absl::Status&);

  bool TakeResends(absl::Time now);
  void FillReady();
  void DropReadyResolved();
  void OnOutcome(const driver::Outcome& outcome);
  void OnAwayOutcome(const driver::Outcome& outcome, bool was_resolved);
  // What is not resolved and not new, in the order of first submission.
  std::vector<SendResult*> Begun() const;
  // One key at a time for what is in hand from now on, or no longer.
  void TakeKeys();
  void FreeKeys();
  bool MayFreeKeys() const {
    return keyed_ && pipelines_ && away_.empty() && resends_.empty();
  }
  bool WillRetryRejected(SendResult& result,
                         const driver::Outcome& outcome) const;
  void Finish(SendResult& result, const driver::Outcome& outcome);
  void Resend(SendResult& result, const driver::Outcome& outcome);
  void Resolve(SendResult& result, SendState state, absl::Status status);
  void ExpireOne(SendResult& result, const absl::Status& last);
  void NoteExpired(SendResult& result);
  void NoteAnswer(const SendResult& result, const driver::Outcome& outcome);
  void CountResolved(const SendBatchState& batch, SendState state);
  void LeaveKey(SendResult& result);
  void Drop(SendResult& result);  // no queue points to it any more
  void DropResolvedResends();
  void LetGo(SendBatchState* batch);
  std::vector<SendBatchState*> Held() const;  // oldest first, referenced
  void FinishBatch(SendBatchState* batch);
  void CallBack(SendBatchState* batch);
  static uint64_t KeyHash(const SendResult& result);
  static bool Before(const SendResult* a, const SendResult* b);

  Endpoint* endpoint_;
  const std::string* name_;
  const uint32_t window_size_;
  const bool ordered_;

  uint64_t generation_ = 1;
  bool pipelines_ = false;            // of the present driver
  bool keyed_ = false;                // at most one unresolved a key
  bool blocked_ = false;              // the driver takes no more
  SendBatchState* newest_ = nullptr;  // all that are held
  Ring<SendBatchState*> batches_;     // with messages not looked at yet
  Ring<SendResult*> ready_;           // next to be submitted, in order
  std::vector<SendResult*> resends_;  // to be sorted by first submission
  std::vector<SendResult*> aside_;
  SendKeeper* keeper_ = nullptr;
  KeyWindow<SendResult*> window_;
  DeadlineQueue deadlines_;
  std::vector<driver::Outbound> scratch_;
  uint32_t in_flight_ = 0;
  // Resolved by their deadline, and still at the driver.
  absl::flat_hash_set<SendResult*> expired_;
  // Submitted to an earlier driver that has not answered; true: and resolved
  // before it was left.
  absl::flat_hash_map<SendResult*, bool> away_;
  bool left_pipelines_ = false;  // did that driver
  uint64_t resent_from_away_ = 0;
  absl::Time resend_at_ = absl::InfinitePast();
  Backoff backoff_;
  RetryBudget budget_;

  uint64_t unresolved_ = 0;

  Turn turn_;
  SendObserver* turn_observer_ = nullptr;
  // Observed batches that are done: they keep their observer until it was told
  // of the turn's end.
  std::vector<SendBatchState*> done_;
  std::vector<SendBatchState*> finished_;  // blocking calls to wake
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SEND_QUEUE_H_
