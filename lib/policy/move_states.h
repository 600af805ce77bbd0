// The states of a move and what leads from one to another, as a table. The
// machine (move.h) does not read it: tests hold the two against each other, and
// docs/move-states.svg is drawn from it.
#ifndef TIELINE_LIB_POLICY_MOVE_STATES_H_
#define TIELINE_LIB_POLICY_MOVE_STATES_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "lib/policy/move_events.h"

namespace tieline::inline v0 {

// The events that can change the state, and a restart from the record.
enum class MoveCause : uint8_t {
  kPlan,
  kUndo,
  kCommitted,
  kNothingUnresolved,
  kRestart,
};

struct MoveTransition {
  MoveState from;
  MoveCause cause;
  MoveState to;
  std::string_view text;
};

inline constexpr std::array<MoveTransition, 26> kMoveTransitions = {{
    {MoveState::kJoining, MoveCause::kCommitted, MoveState::kActive,
     "the first record is on disk"},
    {MoveState::kJoining, MoveCause::kCommitted, MoveState::kDraining,
     "the first record is on disk; the configuration names earlier places"},
    {MoveState::kJoining, MoveCause::kCommitted, MoveState::kPreparing,
     "the first record is on disk; a later plan came meanwhile"},
    {MoveState::kActive, MoveCause::kPlan, MoveState::kPreparing,
     "the configuration names a later binding"},
    {MoveState::kPreparing, MoveCause::kCommitted, MoveState::kSwitching,
     "the new place is fit, and the move on disk"},
    {MoveState::kPreparing, MoveCause::kCommitted, MoveState::kDraining,
     "the same, in a process that does not send"},
    {MoveState::kPreparing, MoveCause::kUndo, MoveState::kActive,
     "cancelled before it was on disk"},
    {MoveState::kPreparing, MoveCause::kUndo, MoveState::kDraining,
     "cancelled before it was on disk; the drain goes on"},
    {MoveState::kPreparing, MoveCause::kUndo, MoveState::kRetiring,
     "cancelled before it was on disk; late ones are still listened for"},
    {MoveState::kSwitching, MoveCause::kNothingUnresolved, MoveState::kDraining,
     "the old place has answered everything that was sent to it"},
    {MoveState::kSwitching, MoveCause::kNothingUnresolved,
     MoveState::kPreparing, "the same; a later plan waits"},
    {MoveState::kDraining, MoveCause::kPlan, MoveState::kPreparing,
     "a later plan names a place that can be gone to at once"},
    {MoveState::kDraining, MoveCause::kCommitted, MoveState::kRetiring,
     "all earlier generations are drained or given up"},
    {MoveState::kDraining, MoveCause::kCommitted, MoveState::kActive,
     "the same, and no earlier place is listened to any more"},
    {MoveState::kDraining, MoveCause::kCommitted, MoveState::kPreparing,
     "a generation is drained that a later plan waited for"},
    {MoveState::kRetiring, MoveCause::kPlan, MoveState::kPreparing,
     "the configuration names a later binding"},
    {MoveState::kRetiring, MoveCause::kCommitted, MoveState::kActive,
     "each earlier place is let go"},
    // What was on disk without an answer counts; what was not is forgotten.
    {MoveState::kJoining, MoveCause::kRestart, MoveState::kActive,
     "its first record was on disk"},
    {MoveState::kJoining, MoveCause::kRestart, MoveState::kDraining,
     "its first record was on disk"},
    {MoveState::kPreparing, MoveCause::kRestart, MoveState::kActive,
     "the plan is heard anew"},
    {MoveState::kPreparing, MoveCause::kRestart, MoveState::kDraining,
     "the move was on disk, or an earlier one is not drained"},
    {MoveState::kPreparing, MoveCause::kRestart, MoveState::kRetiring,
     "the plan is heard anew; late ones are still listened for"},
    {MoveState::kSwitching, MoveCause::kRestart, MoveState::kDraining,
     "nothing is unresolved in a new process"},
    {MoveState::kDraining, MoveCause::kRestart, MoveState::kRetiring,
     "the drain was on disk"},
    {MoveState::kDraining, MoveCause::kRestart, MoveState::kActive,
     "the drain was on disk, and nothing is listened to"},
    {MoveState::kRetiring, MoveCause::kRestart, MoveState::kActive,
     "the letting go was on disk"},
}};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_MOVE_STATES_H_
