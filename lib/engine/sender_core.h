// SenderCore: what is behind a Sender. Takes batches within the bounds, has the
// SendQueue submit them at the broker where the queue is, and counts.
//
// It has a leg (SenderLeg) at that broker, its home: what is in hand belongs to
// the home's strand. When the queue moves, the home's strand hands it over to
// the next leg's: what the old broker has not answered stays with the old leg,
// whose outcomes are passed on.
#ifndef TIELINE_LIB_ENGINE_SENDER_CORE_H_
#define TIELINE_LIB_ENGINE_SENDER_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/flush_groups.h"
#include "lib/engine/link.h"
#include "lib/engine/send_batch.h"
#include "lib/engine/send_queue.h"
#include "lib/engine/sender_leg.h"
#include "lib/engine/sender_spool.h"
#include "tieline/driver/driver.h"
#include "tieline/metrics.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

class SenderCore final : public std::enable_shared_from_this<SenderCore> {
 public:
  // `producer` is the prefix of the ids that it stamps.
  SenderCore(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
             SenderOptions options, std::string producer);
  ~SenderCore();
  // Before Attach: what no broker takes goes to the spool, and what is in its
  // lanes is sent first. `journal` takes entries of kind "spool".
  // `spools`: new messages, too. `most_retained`: RetainerOptions::most_bytes.
  absl::Status UseSpool(std::unique_ptr<SpoolLanes::Claim> claim, bool spools,
                        int64_t most_retained,
                        std::function<void(const std::string&)> journal);
  // Once, after it was made.
  void Attach();

  // Gives a batch to the sender; takes over one of its two references, on
  // success. kResourceExhausted, kFailedPrecondition.
  absl::Status Give(SendBatchState* batch, absl::Duration timeout);
  // The same, waiting for room until the batch's deadline; an inline driver
  // then runs on this thread.
  absl::Status GiveWaiting(SendBatchState* batch, absl::Duration timeout);
  // For observers that count for themselves: no bound on what is pending, and
  // submitted at once where this thread may. kFailedPrecondition.
  absl::Status GiveUnbounded(SendBatchState* batch, absl::Duration timeout);
  void StampIds(SendBatchState* batch);

  absl::Status Flush(absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);
  absl::Status WaitOpen(absl::Duration timeout) const;
  Capabilities capabilities() const { return home()->link().capabilities(); }
  SenderMetrics metrics() const;
  const SenderOptions& options() const { return options_; }
  // As it was opened: a move changes the broker and the entity.
  const QueueConfig& queue() const { return queue_; }
  absl::Status last_error() const { return home()->link().last_error(); }
  // Where new messages go.
  std::shared_ptr<SenderLeg> home() const;

  // ---- For the move of its queue; any thread.
  // Is run when something that a move waits for has changed.
  void SetMover(std::shared_ptr<Runnable> mover);
  // A leg at another broker, which opens its link and does nothing else.
  std::shared_ptr<SenderLeg> AddLeg(std::shared_ptr<Endpoint> endpoint,
                                    QueueConfig queue);
  // From now on nothing is submitted; `held()` once that is so.
  void Hold(bool hold);
  bool held() const { return is_held_.load(std::memory_order_acquire); }
  // Goes to `leg`, which is attached; what is sent there is stamped with the
  // generation.
  void GoTo(std::shared_ptr<SenderLeg> leg, uint64_t generation);
  // It is there.
  bool IsAt(const SenderLeg& leg) const { return at_home_.load() == &leg; }
  // Sends that an earlier leg has not answered.
  uint64_t away() const { return away_.load(std::memory_order_acquire); }
  // No answer of an earlier leg counts any more: what had none is in doubt. Its
  // connection is cut.
  void CutAway();
  // What it has accepted is kept for a move.
  bool retains() const { return retains_; }
  // As SenderSpool's: from before the next Hold(false) on, or sooner.
  void Replay(uint64_t until, bool in_order);
  uint64_t TakeReplayed();
  // Since the last call: sends that were without an outcome at a switch, and
  // those of them that were sent again.
  struct MoveCounts {
    uint64_t in_flight = 0;
    uint64_t in_doubt = 0;
    absl::Duration longest_pause = absl::ZeroDuration();
  };
  MoveCounts TakeMoveCounts();
  // Closed, or about to be: it goes nowhere.
  bool ended() const;

 private:
  friend class SenderLeg;

  // In the leg's strand.
  absl::Time Pump(SenderLeg& leg, absl::Time now);
  void OnLegOpened(SenderLeg& leg);
  void OnLegSendable(SenderLeg& leg);
  void OnLegOutcomes(SenderLeg& leg, std::span<const driver::Outcome> outcomes);
  void OnLegChanged(SenderLeg& leg);
  void OnLegDown(SenderLeg& leg, const absl::Status& why);
  void OnLegLeft(SenderLeg& leg);
  void OnLeftLegOutcomes(SenderLeg& leg,
                         std::span<const driver::Outcome> outcomes);
  void OnLeftLegDown(SenderLeg& leg);

  bool IsHome(const SenderLeg& leg) const {
    return at_home_.load(std::memory_order_acquire) == &leg;
  }
  std::shared_ptr<SenderLeg> Enqueue(SendBatchState* batch,
                                     absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom(const SendBatchState& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WaitPassed(uint64_t mark, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The leg as the endpoint keeps it: with the core.
  std::shared_ptr<EndpointUser> WithCore(const std::shared_ptr<SenderLeg>& leg);
  void CallMover();
  void WakeHome() const;
  // In the home's strand.
  void TakeIncoming();
  void TakeAway();
  void TakeReplay();
  bool Stir(SenderLeg& leg, absl::Time now);
  bool GoOn(SenderLeg& leg);
  void NoteHold(absl::Time now);
  void EndTurn();
  // No queue and no driver points to a message any more.
  void ReleaseAll();
  absl::Status LastError(const SenderLeg& leg) const;

  const QueueConfig queue_;
  const SenderOptions options_;
  const std::string producer_;
  Clock* const clock_;
  std::atomic<uint64_t> next_id_{0};

  // Whose strand has what is in hand.
  std::atomic<SenderLeg*> at_home_{nullptr};
  std::atomic<uint64_t> away_{0};
  std::atomic<bool> hold_{false};
  std::atomic<bool> is_held_{false};
  // A move asked for something: hold_, next_, replay_, from_away_ or away_over_
  // is to be looked at.
  std::atomic<bool> stirred_{false};

  // In the home's strand.
  SendQueue in_hand_;
  std::unique_ptr<SenderSpool> spool_;  // null: nothing is spooled
  bool retains_ = false;
  std::vector<SendBatchState*> taking_;
  absl::Time held_since_ = absl::InfiniteFuture();

  mutable Mutex mu_;
  Condition room_cv_;
  std::shared_ptr<SenderLeg> home_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SenderLeg> next_ ABSL_GUARDED_BY(mu_);
  uint64_t next_generation_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::shared_ptr<SenderLeg>> legs_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SenderLeg> left_ ABSL_GUARDED_BY(mu_);  // has unanswered ones
  std::vector<driver::Outcome> from_away_ ABSL_GUARDED_BY(mu_);
  bool away_over_ ABSL_GUARDED_BY(mu_) = false;  // no more will come
  bool home_is_down_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Runnable> mover_ ABSL_GUARDED_BY(mu_);
  MoveCounts move_counts_ ABSL_GUARDED_BY(mu_);
  std::optional<std::pair<uint64_t, bool>> replay_ ABSL_GUARDED_BY(mu_);
  std::vector<SendBatchState*> incoming_ ABSL_GUARDED_BY(mu_);
  uint64_t pending_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  FlushGroups flush_groups_ ABSL_GUARDED_BY(mu_);
  SenderMetrics counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SENDER_CORE_H_
