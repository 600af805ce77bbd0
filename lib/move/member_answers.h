// What the other processes that use a queue ("members") say of one of its
// generations, and what follows from it. Values only.
#ifndef TIELINE_LIB_MOVE_MEMBER_ANSWERS_H_
#define TIELINE_LIB_MOVE_MEMBER_ANSWERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/policy/move_events.h"

namespace tieline::inline v0 {

struct MemberAnswer {
  std::string socket;
  absl::Status status;  // not OK: it has not answered
  Standing standing = Standing::kSending;
  // What that process chose at random when it began.
  std::string run;
};

// Of those that use the queue, or have not answered.
using MemberAnswers = std::vector<MemberAnswer>;

// Who has not answered, or else who may still send there; null: all have
// answered that they don't.
const MemberAnswer* FindHolder(const MemberAnswers& answers);

// All answered both times, the same ones, and none has started anew between.
bool AreSameRuns(const MemberAnswers& before, const MemberAnswers& after);

enum class MembersSay : uint8_t {
  kNothing,    // ask again
  kDrained,    // move_event::MembersDrained
  kUndrained,  // move_event::MembersUndrained
};

// Of a generation that is asked for or proved here (`own`), by the answers of a
// round and of the one before it: only then were they so at the same time.
MembersSay JudgeAnswers(DrainStage own, const MemberAnswers& before,
                        const MemberAnswers& after);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MEMBER_ANSWERS_H_
