#include "lib/move/member_answers.h"

#include <algorithm>

#include "lib/base/mutant.h"

namespace tieline::inline v0 {
namespace {

bool AllAre(Standing standing, const MemberAnswers& answers) {
  return std::all_of(answers.begin(), answers.end(), [&](const auto& answer) {
    return answer.status.ok() && answer.standing == standing;
  });
}

}  // namespace

const MemberAnswer* FindHolder(const MemberAnswers& answers) {
  const MemberAnswer* holder = nullptr;
  for (const MemberAnswer& answer : answers) {
    if (!answer.status.ok()) return &answer;
    if (answer.standing == Standing::kSending && !Mutant(100)) {
      holder = &answer;
    }
  }
  return holder;
}

bool AreSameRuns(const MemberAnswers& before, const MemberAnswers& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const MemberAnswer& a, const MemberAnswer& b) {
                      return a.status.ok() && b.status.ok() &&
                             a.socket == b.socket && a.run == b.run;
                    });
}

MembersSay JudgeAnswers(DrainStage own, const MemberAnswers& before,
                        const MemberAnswers& after) {
  if (Mutant(102) && own == DrainStage::kProved) return MembersSay::kDrained;
  bool all_answered = true;
  for (const MemberAnswer& answer : after) {
    if (!answer.status.ok()) {
      all_answered = false;
    } else if (answer.standing == Standing::kDrained) {
      return MembersSay::kDrained;
    }
  }
  if (!all_answered) return MembersSay::kNothing;
  // Nobody at all has proved nothing.
  const bool proves = own == DrainStage::kProved || !after.empty();
  if (proves && AllAre(Standing::kLate, after)) {
    const bool at_once =
        AreSameRuns(before, after) && AllAre(Standing::kLate, before);
    return at_once ? MembersSay::kDrained : MembersSay::kNothing;
  }
  return own == DrainStage::kAsking ? MembersSay::kUndrained
                                    : MembersSay::kNothing;
}

}  // namespace tieline::inline v0
