// The model of a move: small configurations are right in every order of steps,
// and each seeded wrong turn is found.
#include "tests/model/move_model.h"

#include <string>

#include "tests/model/scenarios.h"
#include "tests/model/search.h"
#include "tests/support/catch.h"

namespace tieline::model {
namespace {

constexpr uint64_t kMostStates = 5'000'000;

Scenario Small() {
  Scenario scenario;
  scenario.plan = {0, 1};
  return scenario;
}

SearchResult Look(const Scenario& scenario) {
  MoveModel model(scenario);
  return Search(model, kMostStates);
}

TEST_CASE("small configurations are right in every order of steps") {
  for (const Scenario& scenario : ShortScenarios()) {
    const SearchResult result = Look(scenario);
    INFO(scenario.name);
    CHECK(result.violation == "");
    CHECK(result.complete);
    CHECK(result.ends > 0);
    CHECK(result.states > 10'000);
  }
}

// The model leaves out undo. A process without a record has lost it in a crash,
// and there is one.
bool IsLeftOut(const MoveTransition& t) {
  return t.cause == MoveCause::kUndo ||
         (t.cause == MoveCause::kRestart && t.from == MoveState::kJoining);
}

TEST_CASE("processes of the model change their state as the table says") {
  MoveChanges seen;
  for (const Scenario& scenario : TableScenarios()) {
    MoveModel model(scenario);
    INFO(scenario.name);
    REQUIRE(Search(model, kMostStates).complete);
    seen.insert(model.changes().begin(), model.changes().end());
  }
  MoveChanges expected;
  for (const MoveTransition& t : kMoveTransitions) {
    if (!IsLeftOut(t)) expected.insert(ChangeText(t.from, t.cause, t.to));
  }
  CHECK(seen == expected);
}

TEST_CASE("a search that is cut short says so") {
  MoveModel model(Small());
  const SearchResult result = Search(model, 100);
  CHECK_FALSE(result.complete);
  CHECK(result.violation == "");
}

TEST_CASE("the trace of a violation is told step by step") {
  Scenario scenario = Small();
  scenario.bug = Bug::kReadsAbove;
  const SearchResult result = Look(scenario);
  REQUIRE(result.trace.size() > 2);
  CHECK(result.trace.front().find("hears of the plan") != std::string::npos);
  CHECK(result.trace.back().find("takes message") != std::string::npos);
}

TEST_CASE("every seeded wrong turn is found") {
  struct Seeded {
    Bug bug;
    std::string violation;
  };
  const Seeded all[] = {
      {Bug::kReadsAhead, "a place is read before an earlier one is drained"},
      {Bug::kReadsAbove, "a message above the own generation is delivered"},
      {Bug::kSendsUncommitted,
       "a message is submitted before the generation is committed"},
      {Bug::kSendsInDoubt, "a message is submitted to a place that was left"},
      {Bug::kForgetsRecord, "a generation fell"},
      {Bug::kProofAlone, "a message is marked without reason"},
      {Bug::kProofOfHeld, "a place is read before an earlier one is drained"},
      {Bug::kGoesOnAlone, "two handlers hold the same key"},
      {Bug::kMarksNothing, "two handlers hold the same key"},
      {Bug::kLetsGo, "a message is lost"},
      {Bug::kLetsGoGivenUp, "a message is lost"},
      {Bug::kNobodyAnswers, "a move does not end"},
  };
  for (const Seeded& seeded : all) {
    Scenario scenario = Small();
    scenario.bug = seeded.bug;
    scenario.crash = seeded.bug == Bug::kForgetsRecord;
    scenario.commit_fails = seeded.bug == Bug::kSendsInDoubt;
    scenario.late = seeded.bug == Bug::kGoesOnAlone ||
                    seeded.bug == Bug::kMarksNothing ||
                    seeded.bug == Bug::kLetsGo;
    scenario.word = seeded.bug == Bug::kLetsGoGivenUp ? 1 : 0;
    const SearchResult result = Look(scenario);
    INFO("wrong turn " << static_cast<int>(seeded.bug));
    CHECK(result.violation == seeded.violation);
  }
}

}  // namespace
}  // namespace tieline::model
