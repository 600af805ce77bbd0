// The changes of state that were seen in moves, to be held against the table
// lib/policy/move_states.h.
#ifndef TIELINE_TESTS_POLICY_MOVE_CHANGES_H_
#define TIELINE_TESTS_POLICY_MOVE_CHANGES_H_

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "lib/policy/move_states.h"

namespace tieline {

inline std::string_view CauseName(MoveCause cause) {
  switch (cause) {
    case MoveCause::kPlan:
      return "plan";
    case MoveCause::kUndo:
      return "undo";
    case MoveCause::kCommitted:
      return "committed";
    case MoveCause::kNothingUnresolved:
      return "nothing unresolved";
    case MoveCause::kRestart:
      return "restart";
  }
  return "unknown";
}

// Nothing: an event that must leave the state as it is.
inline std::optional<MoveCause> CauseOf(const MoveEvent& event) {
  if (std::holds_alternative<move_event::Plan>(event)) return MoveCause::kPlan;
  if (std::holds_alternative<move_event::Undo>(event)) return MoveCause::kUndo;
  if (std::holds_alternative<move_event::Committed>(event)) {
    return MoveCause::kCommitted;
  }
  if (std::holds_alternative<move_event::NothingUnresolved>(event)) {
    return MoveCause::kNothingUnresolved;
  }
  return std::nullopt;
}

// "preparing -undo-> active", in the order of their text.
using MoveChanges = std::set<std::string>;

inline std::string ChangeText(MoveState from, std::optional<MoveCause> cause,
                              MoveState to) {
  const std::string_view name =
      cause.has_value() ? CauseName(*cause) : "another event";
  return std::string(MoveStateName(from)) + " -" + std::string(name) + "-> " +
         std::string(MoveStateName(to));
}

inline MoveChanges ChangesOfTable() {
  MoveChanges changes;
  for (const MoveTransition& t : kMoveTransitions) {
    changes.insert(ChangeText(t.from, t.cause, t.to));
  }
  return changes;
}

}  // namespace tieline

#endif  // TIELINE_TESTS_POLICY_MOVE_CHANGES_H_
