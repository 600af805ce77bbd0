// Draws docs/move-states.svg from the table lib/policy/move_states.h.
#ifndef TIELINE_TESTS_POLICY_MOVE_STATES_SVG_H_
#define TIELINE_TESTS_POLICY_MOVE_STATES_SVG_H_

#include <string>

namespace tieline {

// The picture: a box for each state, a numbered arrow for each change, and
// below what each number stands for.
std::string DrawMoveStates();

}  // namespace tieline

#endif  // TIELINE_TESTS_POLICY_MOVE_STATES_SVG_H_
