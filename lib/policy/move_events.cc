#include "lib/policy/move_events.h"

namespace tieline::inline v0 {

std::string_view MoveStateName(MoveState state) {
  switch (state) {
    case MoveState::kJoining:
      return "joining";
    case MoveState::kActive:
      return "active";
    case MoveState::kPreparing:
      return "preparing";
    case MoveState::kSwitching:
      return "switching";
    case MoveState::kDraining:
      return "draining";
    case MoveState::kRetiring:
      return "retiring";
  }
  return "unknown";
}

std::string_view StandingName(Standing standing) {
  switch (standing) {
    case Standing::kSending:
      return "sending";
    case Standing::kDraining:
      return "draining";
    case Standing::kLate:
      return "late";
    case Standing::kDrained:
      return "drained";
  }
  return "unknown";
}

std::string_view MoveRefusalName(MoveRefusal refusal) {
  switch (refusal) {
    case MoveRefusal::kMalformed:
      return "generations must be above 0 and rise, and neighbours be at "
             "different brokers";
    case MoveRefusal::kOlder:
      return "the queue is at a later generation, or was told of one";
    case MoveRefusal::kContradicts:
      return "a generation is bound to another broker already";
    case MoveRefusal::kStillUndrained:
      return "a broker is left out that is not drained";
    case MoveRefusal::kTooLong:
      return "too many brokers that are not drained";
    case MoveRefusal::kCommitted:
      return "the move is committed: going back is another move";
    case MoveRefusal::kNothingToUndo:
      return "no move is going on";
  }
  return "unknown";
}

}  // namespace tieline::inline v0
