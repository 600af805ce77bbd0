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
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/engine/receiver_core.h"
#include "lib/engine/runner.h"
#include "lib/engine/sender_core.h"
#include "lib/move/move_group.h"
#include "lib/move/move_store.h"
#include "lib/move/places.h"
#include "lib/policy/move.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

// What a queue's move needs of its bus. Any thread.
class MoveHost {
 public:
  virtual ~MoveHost() = default;
  // A connection for a handle at the queue's broker.
  virtual absl::StatusOr<std::shared_ptr<Endpoint>> EndpointAt(
      const QueueConfig& queue) = 0;
  virtual std::shared_ptr<ReceiverLeg> MakeReceiverLeg(
      const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
      ReceiverOptions options, uint8_t number) = 0;
  virtual Runner& runner() = 0;
  virtual void Log(LogLevel level, std::string_view text) = 0;
  virtual MoveStore& store() = 0;
  // A report has changed.
  virtual void OnReport() = 0;
  // Between a queue's switch and the end of its move the ids of what was
  // handled are kept.
  virtual void SetMoving(const std::string& queue, bool moves) = 0;
  // Second copies so far, in this process.
  virtual uint64_t SuppressedOf(const std::string& queue) const = 0;
};

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
  struct Preparing {
    Binding binding;
    absl::Time give_up_at;
    bool asked = false;
    bool answered = false;
    bool failed = false;  // to be tried again at `again_at`
    absl::Time again_at;
    absl::Status status;
    int64_t existing = 0;
  };
  struct Committing {
    MoveRecord record;
    bool submitted = false;
    absl::Time again_at = absl::InfiniteFuture();  // after a failure
  };
  struct Proof {
    Binding binding;
    absl::Time next_ask;
    bool asking = false;
    bool no_answer_can_be_had = false;
    int confirmed = 0;
    uint64_t received = 0;
    absl::Time quiet_since = absl::InfiniteFuture();
    absl::Time silent_since = absl::InfiniteFuture();
  };
  struct Waiting {
    Binding binding;
    absl::Time until;
  };

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
  bool Prove(Proof& proof, std::string text);
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
  std::map<uint64_t, Waiting> finishing_;
  std::map<uint64_t, Waiting> retiring_;
  absl::Time cut_at_ = absl::InfiniteFuture();
  absl::Time next_ = absl::InfiniteFuture();
  bool is_working_ = false;
  uint64_t suppressed_before_ = 0;  // the last switch

  mutable Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
  std::optional<Move> move_ ABSL_GUARDED_BY(mu_);
  Places places_ ABSL_GUARDED_BY(mu_);
  MoveConfig options_ ABSL_GUARDED_BY(mu_);
  std::string digest_ ABSL_GUARDED_BY(mu_);
  Binding first_ ABSL_GUARDED_BY(mu_);  // that of the first record
  bool accepts_existing_ ABSL_GUARDED_BY(mu_) = false;
  MoveReport report_ ABSL_GUARDED_BY(mu_);
  MoveState state_ ABSL_GUARDED_BY(mu_) = MoveState::kJoining;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_QUEUE_MOVE_H_
