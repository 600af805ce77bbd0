#include "tests/model/move_model.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace tieline::model {
namespace {

using Kind = Step::Kind;

static_assert(std::has_unique_object_representations_v<World>);

}  // namespace

bool operator==(const World& a, const World& b) {
  return std::memcmp(&a, &b, sizeof(World)) == 0;
}

MoveModel::MoveModel(const Scenario& scenario)
    : scenario_(scenario),
      processes_(
          scenario.ordered,
          [&] {
            Bindings bindings;
            for (const PlaceId place : scenario.plan) {
              bindings.push_back({bindings.size() + 1, place});
            }
            return bindings;
          }(),
          scenario.roles) {}

World MoveModel::Start() {
  World world;
  for (int p = 0; p < kProcesses; ++p) world.process[p] = processes_.Start(p);
  world.crashes_left = scenario_.crash ? 1 : 0;
  world.lates_left = scenario_.late ? 1 : 0;
  world.commit_faults_left = scenario_.commit_fails ? 1 : 0;
  return world;
}

void MoveModel::Feed(World& world, int p, Input input) const {
  world.process[p] = processes_.Next(world.process[p], input);
}

// Records a step, and lets every process know at once that nothing of it is
// unresolved: knowing it later only keeps it, and others, from doing things.
void MoveModel::Emit(const Step& step, World world, std::string violation) {
  for (int p = 0; p < kProcesses; ++p) {
    if (ViewOf(world, p).state != MoveState::kSwitching) continue;
    bool unresolved = false;
    for (int m = 0; m < scenario_.messages; ++m) {
      const uint64_t generation = world.message[m].generation;
      unresolved =
          unresolved || (scenario_.producer[m] == p && generation != 0 &&
                         generation < ViewOf(world, p).generation);
    }
    if (!unresolved) {
      Feed(world, p, MakeInput(Input::Kind::kNothingUnresolved));
    }
  }
  out_->push_back({step, world, std::move(violation)});
}

void MoveModel::Expand(const World& world, std::vector<Successor>& out) {
  out.clear();
  out_ = &out;
  for (int p = 0; p < kProcesses; ++p) {
    ExpandConfig(world, p);
    ExpandCommit(world, p);
    ExpandQuestions(world, p);
    ExpandSends(world, p);
    ExpandDeliveries(world, p);
    ExpandCrash(world, p);
  }
  for (int m = 0; m < scenario_.messages; ++m) ExpandOutcomes(world, m);
  ExpandSurface(world);
  out_ = nullptr;
}

void MoveModel::ExpandConfig(const World& world, int p) {
  const View& view = ViewOf(world, p);
  for (size_t v = view.heard + 1u; v <= scenario_.plan.size(); ++v) {
    World next = world;
    Feed(next, p, MakeInput(Input::Kind::kPlan, v));
    Emit(MakeStep(Kind::kHear, p, v), next);
  }
  if (view.wants.prepare) {
    World next = world;
    const uint64_t generation = view.wants.prepare->generation;
    Feed(next, p, MakeInput(Input::Kind::kPrepared, generation));
    Emit(MakeStep(Kind::kPrepared, p, generation), next);
  }
  if (scenario_.word != 0 && !view.has_word &&
      std::any_of(
          view.wants.prove.begin(), view.wants.prove.end(),
          [&](const Binding& b) { return b.generation <= scenario_.word; })) {
    World next = world;
    next.word_was_heard = 1;
    Feed(next, p, MakeInput(Input::Kind::kWord, scenario_.word));
    Emit(MakeStep(Kind::kWord, p, scenario_.word), next);
  }
}

void MoveModel::ExpandCommit(const World& world, int p) {
  const View& view = ViewOf(world, p);
  const auto step = [&](Kind kind, Input::Kind input, bool is_fault) {
    World next = world;
    if (is_fault) next.commit_faults_left = 0;
    const uint64_t before = view.generation_on_disk;
    Feed(next, p, MakeInput(input));
    const View& after = ViewOf(next, p);
    std::string violation;
    if (after.generation_on_disk < before) violation = "a generation fell";
    Step made = MakeStep(kind, p, after.generation_on_disk);
    made.is_fault = is_fault;
    Emit(made, next, std::move(violation));
  };
  if (view.waits_for_retry) step(Kind::kRetry, Input::Kind::kRetry, false);
  if (!view.wants.commit) return;
  step(Kind::kCommitted, Input::Kind::kCommitted, false);
  if (world.commit_faults_left == 0) return;
  step(Kind::kCommitFailed, Input::Kind::kCommitFailed, true);
  step(Kind::kCommitLost, Input::Kind::kCommitLost, true);
  step(Kind::kCommitUnanswered, Input::Kind::kCommitUnanswered, true);
}

bool MoveModel::IsProvable(const World& world, int p,
                           uint64_t generation) const {
  const View& own = ViewOf(world, p);
  if (HasBug(Bug::kLetsGoGivenUp) && own.is_given_up[generation - 1]) {
    return true;
  }
  const Standing other = ViewOf(world, 1 - p).standing[generation - 1];
  if (other == Standing::kSending && !HasBug(Bug::kProofAlone)) return false;
  const auto& place = world.place[PlaceOf(generation)];
  return std::all_of(place.begin(), place.end(), [&](const Copy& copy) {
    return copy.generation == 0 ||
           (HasBug(Bug::kProofOfHeld) && copy.taken != 0);
  });
}

bool MoveModel::MembersAreThrough(const World& world, int p,
                                  uint64_t generation) const {
  if (HasBug(Bug::kNobodyAnswers)) return false;
  const View& own = ViewOf(world, p);
  const bool is_proved = own.is_proved[generation - 1];
  if (HasBug(Bug::kGoesOnAlone) && is_proved) return true;
  const Standing other = ViewOf(world, 1 - p).standing[generation - 1];
  if (!scenario_.roles[1 - p].reads) {
    return is_proved && other != Standing::kSending;
  }
  const bool is_asking = own.is_asking[generation - 1];
  return other == Standing::kDrained ||
         (other == Standing::kLate && (is_proved || is_asking));
}

bool MoveModel::MayLetGo(const World& world, int p, uint64_t generation) const {
  if (HasBug(Bug::kLetsGo) || HasBug(Bug::kLetsGoGivenUp)) return true;
  if (ViewOf(world, 1 - p).standing[generation - 1] == Standing::kSending) {
    return false;
  }
  const PlaceId place = PlaceOf(generation);
  const Late& late = world.late;
  if (late.state == Late::kHidden && late.is_only != 0 &&
      PlaceOf(late.generation) == place) {
    return false;
  }
  return std::none_of(world.place[place].begin(), world.place[place].end(),
                      [&](const Copy& copy) {
                        return copy.generation != 0 &&
                               copy.generation <= generation;
                      });
}

void MoveModel::ExpandQuestions(const World& world, int p) {
  const View& view = ViewOf(world, p);
  const auto answer = [&](Kind kind, Input::Kind input, uint64_t generation) {
    World next = world;
    Feed(next, p, MakeInput(input, generation));
    Emit(MakeStep(kind, p, generation), next);
  };
  for (const Binding& b : view.wants.prove) {
    if (!IsProvable(world, p, b.generation)) continue;
    answer(Kind::kProve, Input::Kind::kDrained, b.generation);
  }
  for (const Binding& b : view.wants.finish) {
    const auto& place = world.place[PlaceOf(b.generation)];
    const bool is_held =
        std::any_of(place.begin(), place.end(), [&](const Copy& copy) {
          return copy.generation == b.generation && copy.taken == p + 1;
        });
    if (is_held) continue;
    answer(Kind::kHandlersDone, Input::Kind::kHandlersDone, b.generation);
  }
  for (const Binding& b : view.wants.ask) {
    if (MembersAreThrough(world, p, b.generation)) {
      answer(Kind::kMembersDrained, Input::Kind::kMembersDrained, b.generation);
    } else if (view.is_asking[b.generation - 1]) {
      answer(Kind::kMembersUndrained, Input::Kind::kMembersUndrained,
             b.generation);
    }
  }
  for (const Binding& b : view.wants.retire) {
    if (!MayLetGo(world, p, b.generation)) continue;
    answer(Kind::kRetireOver, Input::Kind::kRetireOver, b.generation);
  }
}

}  // namespace tieline::model
