// What the move of a queue hears, and what it asks for. Values only; see
// move.h.
#ifndef TIELINE_LIB_POLICY_MOVE_EVENTS_H_
#define TIELINE_LIB_POLICY_MOVE_EVENTS_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/policy/move_record.h"

namespace tieline::inline v0 {

// As in docs/move.md.
enum class MoveState : uint8_t {
  kJoining,    // no record yet: the first one is being committed
  kActive,     // at one place, nothing else is used
  kPreparing,  // the next place is looked at, or the move to it committed
  kSwitching,  // sends go to the new place; some at the old have no outcome
  kDraining,   // earlier generations are not drained
  kRetiring,   // drained; earlier places are still listened to
};
std::string_view MoveStateName(MoveState state);

// Why a plan or an undo was not taken.
enum class MoveRefusal : uint8_t {
  kMalformed,       // see MovePlan::IsValid
  kOlder,           // its target is behind what this process has or was told
  kContradicts,     // a generation is bound to another place already
  kStillUndrained,  // it leaves out a place that is not drained here
  kTooLong,         // more than MoveOptions::max_bindings
  kCommitted,       // the move is, or may be, on disk: go back by another one
  kNothingToUndo,
};
std::string_view MoveRefusalName(MoveRefusal refusal);

// --- Events ---------------------------------------------------------------

namespace move_event {

// The config as it is now. The same one again changes nothing.
struct Plan {
  MovePlan plan;
  // It is the config that the process starts with, which goes before what it
  // did last: nothing is sent to where it was unless the new place can't be
  // prepared. (What it did last may be older than it knows.)
  bool at_start = false;
};
// What was planned and not committed is not to be done.
struct Undo {};
// The answers to move_action::Prepare.
struct Prepared {
  uint64_t generation = 0;
};
struct PrepareFailed {
  uint64_t generation = 0;
};
// The answers to move_action::Commit. After CommitFailed the record of that
// attempt is certainly not on disk; after CommitUnknown it may be.
struct Committed {};
struct CommitFailed {};
struct CommitUnknown {};
// No send to an earlier place is without an outcome any more: what it had
// accepted, refused or left in doubt is known, and its sender holds nothing.
struct NothingUnresolved {};
// The answer to move_action::ProveDrained: the place is empty, nothing of it
// is in anybody's hands, and every member has left this generation.
struct Drained {
  uint64_t generation = 0;
};
// The answers to move_action::AskMembers. Either one reading member says
// kDrained of this generation; or every other one says kLate and this process
// has its own proof, or has not read there since it started ...
struct MembersDrained {
  uint64_t generation = 0;
};
// ... or neither is so. Only a process that started without a record waits for
// this; others may be spared it.
struct MembersUndrained {
  uint64_t generation = 0;
};
// The operator's or the policy's word for a place that does not answer: go on
// without a proof for all generations up to this one, or (kHold) wait after
// all, as far as that is not committed.
struct Word {
  enum class Decision : uint8_t { kHold, kProceed };
  Decision decision = Decision::kHold;
  uint64_t generation = 0;
};
// The answer to move_action::AwaitHandlers: nothing of the generation is in
// this process's hands.
struct HandlersDone {
  uint64_t generation = 0;
};
// The answer to move_action::AwaitRetired: every member has left the
// generation and the time for late ones is over, or the place takes no sends.
struct RetireOver {
  uint64_t generation = 0;
};
// A message of this generation was delivered as late.
struct LateSeen {
  uint64_t generation = 0;
};
// Time to try again what failed: a preparation, a commit.
struct Retry {};

}  // namespace move_event

using MoveEvent = std::variant<
    move_event::Plan, move_event::Undo, move_event::Prepared,
    move_event::PrepareFailed, move_event::Committed, move_event::CommitFailed,
    move_event::CommitUnknown, move_event::NothingUnresolved,
    move_event::Drained, move_event::MembersDrained,
    move_event::MembersUndrained, move_event::Word, move_event::HandlersDone,
    move_event::RetireOver, move_event::LateSeen, move_event::Retry>;

// --- Actions --------------------------------------------------------------

// What is received from a place.
enum class MoveCredit : uint8_t {
  kNone,  // no credit; what is in hand is finished
  kRead,  // what is there, as Move::JudgeDelivery says
  kLate,  // a place that is through: whatever comes is late
};

namespace move_action {

// An action that asks for an answer stands until it is answered or the state
// that asked is over. An answer to what is no longer asked changes nothing.

// Is the place fit? Connected, authorised, its entities there, no limit worse
// than those in use, and where reading begins is fixed.
struct Prepare {
  Binding binding;
  friend bool operator==(const Prepare&, const Prepare&) = default;
};
// Write the record to disk, synced. Nothing of what it says is done before the
// answer.
struct Commit {
  MoveRecord record;
  friend bool operator==(const Commit&, const Commit&) = default;
};
struct OpenSender {
  PlaceId place = 0;
  friend bool operator==(const OpenSender&, const OpenSender&) = default;
};
struct CloseSender {
  PlaceId place = 0;
  friend bool operator==(const CloseSender&, const CloseSender&) = default;
};
// From now on this credit at the place.
struct Receive {
  PlaceId place = 0;
  MoveCredit credit = MoveCredit::kNone;
  friend bool operator==(const Receive&, const Receive&) = default;
};
struct ProveDrained {
  Binding binding;
  friend bool operator==(const ProveDrained&, const ProveDrained&) = default;
};
struct AskMembers {
  Binding binding;
  friend bool operator==(const AskMembers&, const AskMembers&) = default;
};
// The generation is about to be given up: let its handlers end.
struct AwaitHandlers {
  Binding binding;
  friend bool operator==(const AwaitHandlers&, const AwaitHandlers&) = default;
};
// The time for late ones begins now (again, where it was running).
struct AwaitRetired {
  Binding binding;
  friend bool operator==(const AwaitRetired&, const AwaitRetired&) = default;
};
// For the journal, the log and the report of the move.
struct Report {
  enum class Step : uint8_t {
    kPlanned,
    kUndone,
    kPrepareFailed,
    kMoved,     // committed: sends go to the binding
    kSwitched,  // nothing is unresolved at earlier places
    kProved,
    kDrained,
    kGivenUp,
    kHeld,
    kLateSeen,
    kLetGo,
    kCommitFailed,
    kCommitInDoubt,
    kRefused,  // `refusal` says why
  };
  Step step = Step::kPlanned;
  Binding binding;
  MoveRefusal refusal = MoveRefusal::kMalformed;
  friend bool operator==(const Report&, const Report&) = default;
};

}  // namespace move_action

using MoveAction =
    std::variant<move_action::Prepare, move_action::Commit,
                 move_action::OpenSender, move_action::CloseSender,
                 move_action::Receive, move_action::ProveDrained,
                 move_action::AskMembers, move_action::AwaitHandlers,
                 move_action::AwaitRetired, move_action::Report>;
using MoveActions = std::vector<MoveAction>;

// --- Answers --------------------------------------------------------------

// Where a message to be sent goes.
struct SendTo {
  bool waits = true;
  Binding binding;  // with waits == false: the place and the stamp

  friend bool operator==(const SendTo&, const SendTo&) = default;
};

// What is done with a message that came.
enum class Judgement : uint8_t {
  kDeliver,
  kDeliverLate,  // delivered with the mark `late`
  kHold,         // not now: kept in hand or at the place, in its order
};

// What a process answers to a member that asks about a generation.
enum class Standing : uint8_t {
  kSending,   // it may still send there
  kDraining,  // it reads what is there in its order
  kLate,      // whatever it gets from there it delivers as late
  kDrained,   // so did all reading members when it went on
};
// "sending", "draining", "late", "drained".
std::string_view StandingName(Standing standing);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_MOVE_EVENTS_H_
