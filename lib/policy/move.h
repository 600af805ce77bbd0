// Move: the move of one queue from broker to broker, as one process sees it.
//
// A pure state machine: events in, actions out. Its owner (the engine, on
// whichever thread serialises the queue) turns actions into work and answers
// with events; it asks SendNow for each message to be sent and JudgeDelivery
// for each that came. docs/move.md tells what rests on what.
//
// Every change of the record is committed before it has an effect, one commit
// at a time. The actions of a call are the difference between what the machine
// wants after it and before it (move_wants.h), so a wish is never asked twice
// nor forgotten.
#ifndef TIELINE_LIB_POLICY_MOVE_H_
#define TIELINE_LIB_POLICY_MOVE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "lib/policy/move_events.h"
#include "lib/policy/move_record.h"
#include "lib/policy/move_wants.h"

namespace tieline::inline v0 {

struct MoveOptions {
  // The queue is read one generation after the other.
  bool ordered = true;
  // What this process does with the queue.
  bool sends = true;
  bool reads = true;
  // Bindings that a plan may name, and generations that may be undrained.
  size_t max_bindings = 16;
};

class Move {
 public:
  // A restart: `record` is what the state file says. What the config says is
  // told by a Plan event.
  Move(const MoveOptions& options, MoveRecord record);
  // A start without a record: what was is asked for before it is read, and
  // nothing is done before the first record is committed. Requires
  // plan.IsValid().
  Move(const MoveOptions& options, const MovePlan& plan);

  // All that is wanted now. To be called once, before the first Apply.
  MoveActions Begin() const;
  // What follows from `event`. An event that fits nothing changes nothing.
  MoveActions Apply(const MoveEvent& event);

  // Where a message goes now. `key_is_unresolved`: its key has a send without
  // an outcome at an earlier place. After any Apply the answer may be another.
  SendTo SendNow(bool key_is_unresolved) const;
  // What to do with a message that has this stamp; 0: it has none, and counts
  // as of the oldest generation that is at the place.
  Judgement JudgeDelivery(uint64_t stamp, PlaceId place) const;
  // What to answer to a member that asks about this generation.
  Standing StandingOf(uint64_t generation) const;

  MoveState state() const;
  // As committed.
  const MoveRecord& record() const { return record_; }
  // The generations that this process has been told of and not gone to.
  const Bindings& ahead() const { return ahead_; }
  // What is asked for and not answered.
  MoveWants Wants() const;

  // The options, which never change, are left out.
  friend bool operator==(const Move& a, const Move& b);
  template <typename H>
  friend H AbslHashValue(H h, const Move& m) {
    if (m.pending_) h = H::combine(std::move(h), *m.pending_);
    return H::combine(std::move(h), m.record_, m.pending_.has_value(),
                      m.is_in_doubt_, m.commit_waits_, m.ahead_, m.prepared_,
                      m.prepare_waits_, m.left_, m.proceed_, m.starts_);
  }

 private:
  void On(const move_event::Plan& event, MoveActions& out);
  void On(const move_event::Undo& event, MoveActions& out);
  void On(const move_event::Prepared& event, MoveActions& out);
  void On(const move_event::PrepareFailed& event, MoveActions& out);
  void On(const move_event::Committed& event, MoveActions& out);
  void On(const move_event::CommitFailed& event, MoveActions& out);
  void On(const move_event::CommitUnknown& event, MoveActions& out);
  void On(const move_event::NothingUnresolved& event, MoveActions& out);
  void On(const move_event::Drained& event, MoveActions& out);
  void On(const move_event::MembersDrained& event, MoveActions& out);
  void On(const move_event::MembersUndrained& event, MoveActions& out);
  void On(const move_event::Word& event, MoveActions& out);
  void On(const move_event::HandlersDone& event, MoveActions& out);
  void On(const move_event::RetireOver& event, MoveActions& out);
  void On(const move_event::LateSeen& event, MoveActions& out);
  void On(const move_event::Retry& event, MoveActions& out);

  std::optional<MoveRefusal> Refuse(const MovePlan& plan) const;
  bool IsJoining() const { return record_.present.generation == 0; }
  // The commit that is asked for takes the queue to another place.
  bool MovesNow() const;
  // The binding to go to next, if it can be gone to.
  const Binding* NextHop() const;
  // The generation that somebody's word is about, if it is next to be drained:
  // nothing more of it is delivered.
  const Binding* GivingUp() const;
  // Begins the commit of the move whose place is prepared, if it can be made.
  void CommitMove();
  void ReportChange(const MoveRecord& before, MoveActions& out) const;
  // Asks for `next` to be committed if it differs and nothing else is.
  void CommitIf(bool changed, MoveRecord next);
  void AddReceivers(MoveWants& wants) const;
  void AddQuestions(MoveWants& wants) const;

  MoveOptions options_;
  MoveRecord record_;
  // Asked to be committed, and not known to be.
  std::optional<MoveRecord> pending_;
  bool is_in_doubt_ = false;   // an attempt for `pending_` may be on disk
  bool commit_waits_ = false;  // for Retry
  Bindings ahead_;
  uint64_t prepared_ = 0;       // this generation's place is fit
  bool prepare_waits_ = false;  // for Retry
  // Where sends may be without an outcome: the place before the present one.
  Binding left_;
  uint64_t proceed_ = 0;  // somebody's word, up to this generation
  bool starts_ = false;   // it has a plan from the start, and did not go yet
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_MOVE_H_
