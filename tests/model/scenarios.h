// The configurations of the model that are gone through.
#ifndef TIELINE_TESTS_MODEL_SCENARIOS_H_
#define TIELINE_TESTS_MODEL_SCENARIOS_H_

#include <vector>

#include "tests/model/move_model.h"

namespace tieline::model {

// Small ones, seconds altogether: one re-plan each, and one with two.
std::vector<Scenario> ShortScenarios();
// Two re-plans and one message: all changes of a process's state that the model
// can show.
std::vector<Scenario> TableScenarios();
// All: two processes, two re-plans, a crash, a late copy, three messages, and
// what else is told in docs/move.md. Minutes, and some GB.
std::vector<Scenario> FullScenarios();

}  // namespace tieline::model

#endif  // TIELINE_TESTS_MODEL_SCENARIOS_H_
