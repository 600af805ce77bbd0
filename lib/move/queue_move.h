// QueueMove: the move of one queue in one process. It feeds the machine
// (lib/policy/move.h) with what happens, and does what that wants: legs of the
// queue's senders and receivers at the places that are used, the record on disk
// before anything that rests on it, and proofs that a place is empty.
//
// What is to be there is taken from the machine's wants after every event, and
// compared with what is there: so nothing has to be undone step by step.
//
// Threads: works on the runner's thread; what says so may be called from any.
#ifndef TIELINE_LIB_MOVE_QUEUE_MOVE_H_
#define TIELINE_LIB_MOVE_QUEUE_MOVE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/engine/receiver_core.h"
#include "lib/engine/runner.h"
#include "lib/engine/sender_core.h"
#include "lib/move/move_group.h"
#include "lib/move/move_host.h"
#include "lib/move/move_store.h"
#include "lib/move/move_tasks.h"
#include "lib/move/places.h"
#include "lib/policy/move.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

class QueueMove final : public Runnable, public DeliveryGate {
 public:
  // Of a queue that `config` has; the host outlives its last run. kDataLoss:
  // what was saved can't be read.
  static absl::StatusOr<std::shared_ptr<QueueMove>> Make(
      MoveHost* host, const QueueConfig& queue, const MoveConfig& options,
      const std::optional<SavedMove>& saved);
  ~QueueMove() override;

  // ---- Any thread.
  // Where the queue is now, for a handle that is opened; nothing before its
  // first record is on disk: then where it will be.
  QueueConfig Present() const;
  // The same with its generation and what is not drained: what the config
  // should say.
  QueueConfig Known() const;
  void AddSender(const std::shared_ptr<SenderCore>& sender);
  // `is_new`: it was not attached yet, and gets its first credit from here.
  void AddReceiver(const std::shared_ptr<ReceiverCore>& receiver, bool is_new);
  // Why the plan could not be applied; changes nothing.
  absl::Status Check(const QueueConfig& queue) const;
  // The same for a queue that was never moved, and is where `now` says.
  static absl::Status CheckFirst(const QueueConfig& now,
                                 const QueueConfig& next);
  // `group`: those that move with it; null: it moves alone.
  void Apply(const QueueConfig& queue, const MoveConfig& options,
             bool accepts_existing, std::shared_ptr<MoveGroup> group);
  // How the queue is to be moved, from now on.
  void SetOptions(const MoveConfig& options);
  // What to answer to a member that asks.
  Standing StandingOf(uint64_t generation);
  // kFailedPrecondition: it is, or may be, on disk; or there is nothing to
  // undo.
  absl::Status Undo();
  void Proceed();
  MoveReport report() const;
  // The end of the bus: nothing more is done.
  void Stop();

  // DeliveryGate.
  Judgement Judge(uint64_t stamp, PlaceId place) override;
  void OnLate(uint64_t stamp, PlaceId place) override;
  void OnHeld(uint64_t count) override;
  // Runnable.
  void RunFromRunner(absl::Time now) override;
  void RunTooLate() override {}

 private:
  struct SenderEntry {
    std::weak_ptr<SenderCore> core;
    std::map<PlaceId, std::shared_ptr<SenderLeg>> legs;
    uint64_t generation = 0;  // that it was told to go to
    // Sends nothing before the former broker has answered, or is cut off.
    bool fenced = false;
    bool cut = false;
    // What it retains of generations up to this one is sent again.
    uint64_t replayed = 0;
  };
  struct ReceiverEntry {
    std::weak_ptr<ReceiverCore> core;
    std::map<PlaceId, std::shared_ptr<ReceiverLeg>> legs;
  };
  using Preparing = move_task::Preparing;
  using Committing = move_task::Committing;
  using Proof = move_task::Proof;
  using Asking = move_task::Asking;
  using Waiting = move_task::Waiting;

  QueueMove(MoveHost* host, const QueueConfig& queue,
            const MoveConfig& options);

  // Where the queue is, or, before its first record is on disk, will be.
  Binding PresentBinding() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Has `work` run on the runner's thread.
  void Post(std::function<void()> work);

  // ---- On the runner's thread.
  // Gives the machine an event, and notes what it reports.
  void Feed(const MoveEvent& event);
  void Follow(const MoveActions& actions);
  void Note(const move_action::Report& step);
  void NoteState();
  void SetStatus(absl::Status status);
  // What the machine wants and what is there, made one.
  void Reconcile(absl::Time now);
  void ReconcileTasks(const MoveWants& wants, absl::Time now);
  // The config of a place, and a connection there; null, with the reason as the
  // move's status, where none can be had.
  std::shared_ptr<Endpoint> EndpointAt(PlaceId place, QueueConfig* queue);
  void ReconcileSender(SenderEntry& entry, const MoveWants& wants, bool waits);
  void ReconcileReceiver(ReceiverEntry& entry, const MoveWants& wants);
  // What is under way: true when something was fed.
  bool Work(absl::Time now);
  bool WorkPrepare(absl::Time now);
  void AskToPrepare(const Binding& binding);
  // Null: it moves alone.
  std::shared_ptr<MoveGroup> GroupOf(uint64_t generation) const;
  void FailGroup(uint64_t generation, const absl::Status& why);
  void Commit(SavedMove saved, bool moves);
  void OnCommitted(MoveGroup* group, const absl::Status& status);
  bool WorkCommit(absl::Time now);
  bool WorkSwitch(absl::Time now);
  // The former broker has answered all of it, or never will.
  void Unfence(SenderEntry& entry, const MoveWants& wants);
  void ReplayLate(uint64_t generation);
  bool IsReplayed(uint64_t generation) const;
  bool WorkProofs(absl::Time now);
  bool WorkAsks(absl::Time now);
  bool WorkWaits(absl::Time now);
  absl::Status LegsReady(PlaceId place, bool* ready) const;
  absl::Status CheckLimits(const Binding& binding) const;
  void AskProof(Proof& proof, absl::Time now);
  void OnProofAnswer(uint64_t generation, const driver::Reply& reply,
                     uint64_t received);
  bool IsIdleAt(PlaceId place) const;
  bool IsOpenAt(PlaceId place) const;
  uint64_t ReceivedAt(PlaceId place) const;
  void Ask(PlaceId place, driver::Request::Op op, absl::Duration within,
           std::function<void(driver::Reply)> done);
  // The broker is known to be empty: asks the members once more.
  bool Confirm(Proof& proof, std::string text, absl::Time now);
  bool Prove(Proof& proof, std::string text);
  // `place` was silent, the broker or a member, and may be given up for that.
  bool GivesUp(uint64_t generation, absl::Time silent_since,
               absl::Time now) const;

  // ---- Members.
  bool HasMembers() const;
  // `done` is called on the runner's thread with what the members of the config
  // that holds then have answered.
  void AskMembers(uint64_t generation,
                  std::function<void(const MemberAnswers&)> done);
  // The same of the proof, for who has left its generation.
  void AskLeavers(Proof& proof);
  void OnLeavers(Proof& proof, const MemberAnswers& answers);
  void AskRetired(Waiting& waiting);
  void OnAsked(Asking& ask, const MemberAnswers& answers);
  // False, and nothing is done, where somebody was told meanwhile that this
  // process still reads there.
  bool FeedDrained(uint64_t generation, uint64_t told);
  // Tells who is waited for.
  void NoteMembers(const MemberAnswers& answers, const MemberAnswer* holder);
  // What is left there, for the report.
  void AskLeft(const Binding& binding);
  // Run again by then.
  void By(absl::Time when) { next_ = std::min(next_, when); }

  MoveHost* const host_;
  const std::string name_;
  Clock* const clock_;

  // On the runner's thread.
  std::vector<SenderEntry> senders_;
  std::vector<ReceiverEntry> receivers_;
  std::map<PlaceId, std::shared_ptr<Endpoint>> asked_at_;
  // By the generation that the plan goes to, until it is there or fails.
  std::map<uint64_t, std::shared_ptr<MoveGroup>> groups_;
  std::optional<Preparing> preparing_;
  std::optional<Committing> committing_;
  std::map<uint64_t, Proof> proofs_;
  std::map<uint64_t, Asking> asks_;
  std::map<uint64_t, Waiting> finishing_;
  std::map<uint64_t, Waiting> retiring_;
  absl::Time cut_at_ = absl::InfiniteFuture();
  absl::Time next_ = absl::InfiniteFuture();
  bool is_working_ = false;
  uint64_t suppressed_before_ = 0;  // the last switch
  std::set<std::string> silent_;    // members that do not answer
  bool waits_for_member_ = false;   // which the status says

  mutable Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
  std::optional<Move> move_ ABSL_GUARDED_BY(mu_);
  Places places_ ABSL_GUARDED_BY(mu_);
  MoveConfig options_ ABSL_GUARDED_BY(mu_);
  std::string digest_ ABSL_GUARDED_BY(mu_);
  Binding first_ ABSL_GUARDED_BY(mu_);  // that of the first record
  bool accepts_existing_ ABSL_GUARDED_BY(mu_) = false;
  // How often it was answered that a generation is read here.
  uint64_t told_draining_ ABSL_GUARDED_BY(mu_) = 0;
  MoveReport report_ ABSL_GUARDED_BY(mu_);
  MoveState state_ ABSL_GUARDED_BY(mu_) = MoveState::kJoining;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_QUEUE_MOVE_H_
