// The model's steps and states in words.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/model/move_model.h"

namespace tieline::model {
namespace {

const char* Words(Step::Kind kind) {
  using Kind = Step::Kind;
  switch (kind) {
    case Kind::kHear:
      return "hears of the plan of generation";
    case Kind::kPrepared:
      return "has prepared generation";
    case Kind::kCommitted:
      return "commits; on disk is generation";
    case Kind::kCommitFailed:
      return "fails to commit; on disk is generation";
    case Kind::kCommitLost:
      return "hears nothing of a commit that failed; on disk is generation";
    case Kind::kCommitUnanswered:
      return "hears nothing of a commit that was made; on disk is generation";
    case Kind::kRetry:
      return "tries to commit again; on disk is generation";
    case Kind::kWord:
      return "hears the word to go on without generation";
    case Kind::kSubmit:
      return "submits message";
    case Kind::kAccept:
      return "is told \"accepted\" of message";
    case Kind::kAcceptHidden:
      return "is told \"accepted\", while the broker holds back message";
    case Kind::kLand:
      return "hears nothing, while the broker takes message";
    case Kind::kAnswerLanded:
      return "sends again, and is told of message";
    case Kind::kNotTaken:
      return "is told \"not taken\" of message";
    case Kind::kInDoubt:
      return "is left in doubt of message";
    case Kind::kSurface:
      return "late there comes message";
    case Kind::kTake:
      return "takes message";
    case Kind::kSettle:
      return "settles message";
    case Kind::kHandlersDone:
      return "has no handler left for generation";
    case Kind::kProve:
      return "proves drained generation";
    case Kind::kMembersDrained:
      return "hears that all drained generation";
    case Kind::kMembersUndrained:
      return "hears that not all drained generation";
    case Kind::kRetireOver:
      return "need no longer listen for generation";
    case Kind::kCrash:
      return "crashes and starts again";
    case Kind::kCrashInDoubt:
      return "crashes with a send on its way, and starts again";
  }
  return "";
}

bool HasPlace(Step::Kind kind) {
  return kind >= Step::Kind::kSubmit && kind <= Step::Kind::kSettle;
}

char Letter(unsigned place) { return static_cast<char>('A' + place); }

}  // namespace

std::string MoveModel::Describe(const Step& step) const {
  std::string text;
  if (step.kind != Step::Kind::kSurface) {
    absl::StrAppend(&text, "process ", step.process, " ");
  }
  absl::StrAppend(&text, Words(step.kind));
  if (step.kind == Step::Kind::kCrash ||
      step.kind == Step::Kind::kCrashInDoubt) {
    return text;
  }
  absl::StrAppend(&text, " ", step.what);
  if (HasPlace(step.kind)) {
    absl::StrAppend(&text, " at ", std::string(1, Letter(step.place)));
  }
  return text;
}

std::string MoveModel::Describe(const World& world) const {
  std::string text;
  for (int p = 0; p < kProcesses; ++p) {
    const View& view = ViewOf(world, p);
    absl::StrAppend(&text, "p", p, " ", std::string(MoveStateName(view.state)),
                    " g", view.generation, "; ");
  }
  for (unsigned at = 0; at < kPlaces; ++at) {
    absl::StrAppend(&text, std::string(1, Letter(at)), "[");
    for (const Copy& copy : world.place[at]) {
      if (copy.generation == 0) break;
      absl::StrAppend(&text, " ", static_cast<int>(copy.message), "/g",
                      static_cast<int>(copy.generation),
                      copy.taken != 0 ? "*" : "");
    }
    absl::StrAppend(&text, " ] ");
  }
  return text;
}

}  // namespace tieline::model
