// What a QueueMove has under way. Values only; `asking` stands for an answer
// that is still to come.
#ifndef TIELINE_LIB_MOVE_MOVE_TASKS_H_
#define TIELINE_LIB_MOVE_MOVE_TASKS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/move/member_answers.h"
#include "lib/policy/move_record.h"

namespace tieline::inline v0::move_task {

// How often a broker is asked, and how long for an answer.
inline constexpr absl::Duration kAskAgain = absl::Milliseconds(20);
inline constexpr absl::Duration kAnswerTime = absl::Seconds(2);

struct Preparing {
  Binding binding;
  absl::Time give_up_at;
  bool asked = false;
  bool answered = false;
  absl::Status status;
  int64_t existing = 0;
};

struct Committing {
  MoveRecord record;
  bool submitted = false;
  absl::Time again_at = absl::InfiniteFuture();  // after a failure
};

struct Proof {
  Binding binding;
  absl::Time next_ask;
  bool asking = false;
  bool no_answer_can_be_had = false;
  int confirmed = 0;
  uint64_t received = 0;
  absl::Time quiet_since = absl::InfiniteFuture();
  absl::Time silent_since = absl::InfiniteFuture();
  // That all members had left the generation, before the broker was asked.
  std::optional<MemberAnswers> leavers;
  // How the place is known to be empty, while the members are asked once more.
  std::string found;
};

// Of what other members have proved.
struct Asking {
  Binding binding;
  absl::Time next_ask;
  bool asking = false;
  uint64_t told = 0;  // QueueMove::told_draining_ when the question was asked
  absl::Time silent_since = absl::InfiniteFuture();
  MemberAnswers last;
};

struct Waiting {
  Binding binding;
  absl::Time until;
  // Of members that may still send there.
  absl::Time next_ask = absl::InfinitePast();
  bool asking = false;
  bool left = false;  // none does
};

}  // namespace tieline::inline v0::move_task

#endif  // TIELINE_LIB_MOVE_MOVE_TASKS_H_
