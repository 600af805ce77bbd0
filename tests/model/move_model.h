// A small world of processes that move one queue: the state machine of
// lib/policy/move.h in each, places that hold copies of messages, and all that
// can happen to them, one step at a time. search.h goes through all of it.
//
// What a step is, and what the world leaves out, is told in docs/move.md.
#ifndef TIELINE_TESTS_MODEL_MOVE_MODEL_H_
#define TIELINE_TESTS_MODEL_MOVE_MODEL_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/process.h"

namespace tieline::model {

constexpr int kMessages = 3;
constexpr int kPlaces = 3;
constexpr int kCopies = 5;  // at one place at a time

// A wrong turn that the checks must notice.
enum class Bug : uint8_t {
  kNone,
  kReadsAhead,        // a later generation is read before its turn
  kReadsAbove,        // what is stamped above the own generation is delivered
  kSendsUncommitted,  // sends go to the new place before the record is there
  kSendsInDoubt,      // sends go to the old place while the commit is in doubt
  kForgetsRecord,     // a restart begins with the first record
  kProofAlone,        // a place is proved while another process may send there
  kProofOfHeld,       // a place is proved while a message of it is in a handler
  kGoesOnAlone,       // what is proved is left without asking the members
  kMarksNothing,      // late messages are not marked
  kLetsGo,            // a place is let go while it holds back what it accepted
  kLetsGoGivenUp,     // what was given up is let go without a proof
  kNobodyAnswers,     // members are never heard
};

// One configuration of the world.
struct Scenario {
  const char* name = "";
  // Generation i + 1 is at the place plan[i]; each after the first is one
  // re-plan.
  std::vector<PlaceId> plan;
  std::array<Role, kProcesses> roles;
  bool ordered = true;
  int messages = kMessages;
  std::array<uint8_t, kMessages> producer = {0, 0, 1};
  std::array<uint8_t, kMessages> key = {0, 0, 0};
  bool crash = false;  // one, at any time
  bool crash_loses_record = false;
  bool late = false;          // one send in doubt, or held back when accepted
  bool commit_fails = false;  // one commit fails or is not answered
  uint64_t word = 0;          // "proceed" up to this generation may be heard
  Bug bug = Bug::kNone;
};

// Where a message is on its way from its producer.
enum class Fate : uint8_t {
  kUnsent,    // to be sent
  kInFlight,  // submitted; the broker does not have it
  kLanded,    // the broker has it, the answer is lost
  kAccepted,
};

struct MessageState {
  uint8_t fate : 2 = 0;
  uint8_t generation : 2 = 0;  // of its last submission; 0 when unsent
  uint8_t unused : 4 = 0;
};

// A copy of a message at a place; `taken` 0: by nobody, else by process - 1.
struct Copy {
  uint8_t generation : 2 = 0;  // 0: no copy
  uint8_t message : 2 = 0;
  uint8_t taken : 2 = 0;
  uint8_t late : 1 = 0;  // it was taken with the mark
  uint8_t unused : 1 = 0;
};

// The copy that comes when nobody expects it.
struct Late {
  enum State : uint8_t { kNone, kHidden, kSurfaced };
  uint8_t state : 2 = kNone;
  uint8_t message : 2 = 0;
  uint8_t generation : 2 = 0;
  uint8_t is_only : 1 = 0;  // its send was answered "accepted"
  uint8_t unused : 1 = 0;
};

// One state of the world: equal states have equal bytes.
struct World {
  std::array<uint16_t, kProcesses> process = {};  // see Processes
  std::array<uint8_t, kProcesses> inbox = {};     // ids handled, a bit each
  uint8_t effects = 0;                            // by anybody
  std::array<MessageState, kMessages> message = {};
  // By key, then in the order in which they came.
  std::array<std::array<Copy, kCopies>, kPlaces> place = {};
  Late late;
  uint8_t crashes_left : 1 = 0;
  uint8_t lates_left : 1 = 0;
  uint8_t commit_faults_left : 1 = 0;
  uint8_t word_was_heard : 1 = 0;
  uint8_t unused : 4 = 0;
  uint8_t padding = 0;

  friend bool operator==(const World& a, const World& b);
};

// One step, for the trace.
struct Step {
  enum class Kind : uint8_t {
    kHear,
    kPrepared,
    kCommitted,
    kCommitFailed,
    kCommitLost,        // not written, and not answered
    kCommitUnanswered,  // written, and not answered
    kRetry,
    kWord,
    kSubmit,
    kAccept,
    kAcceptHidden,
    kLand,
    kAnswerLanded,
    kNotTaken,
    kInDoubt,
    kSurface,
    kTake,
    kSettle,
    kHandlersDone,
    kProve,
    kMembersDrained,
    kMembersUndrained,
    kRetireOver,
    kCrash,
    kCrashInDoubt,
  };
  Kind kind = Kind::kHear;
  uint8_t process = 0;
  uint8_t what = 0;  // generation, version of the plan, or message
  uint8_t place = 0;
  bool is_fault = false;  // it need not happen
};

inline Step MakeStep(Step::Kind kind, int process, uint64_t what,
                     PlaceId place = 0) {
  return {kind, static_cast<uint8_t>(process), static_cast<uint8_t>(what),
          static_cast<uint8_t>(place), false};
}
inline Input MakeInput(Input::Kind kind, uint64_t what = 0) {
  return {kind, static_cast<uint8_t>(what)};
}

struct Successor {
  Step step;
  World world;
  std::string violation;  // empty: none
};

class MoveModel {
 public:
  explicit MoveModel(const Scenario& scenario);

  World Start();
  // All that can happen next. `out` is overwritten.
  void Expand(const World& world, std::vector<Successor>& out);
  // What is wrong with a world in which nothing but faults can happen; empty:
  // nothing.
  std::string CheckEnd(const World& world) const;
  // Grows with every step: no behaviour goes on for ever.
  int64_t Progress(const World& world) const;

  std::string Describe(const Step& step) const;
  std::string Describe(const World& world) const;
  const Scenario& scenario() const { return scenario_; }
  size_t local_states() const { return processes_.size(); }
  const MoveChanges& changes() const { return processes_.changes(); }

 private:
  PlaceId PlaceOf(uint64_t generation) const {
    return scenario_.plan[generation - 1];
  }
  const View& ViewOf(const World& world, int p) const {
    return processes_.view(world.process[p]);
  }
  bool HasBug(Bug bug) const { return scenario_.bug == bug; }
  void Emit(const Step& step, World world, std::string violation = "");
  void Feed(World& world, int p, Input input) const;

  void ExpandConfig(const World& world, int p);
  void ExpandCommit(const World& world, int p);
  void ExpandQuestions(const World& world, int p);
  void ExpandSends(const World& world, int p);
  void ExpandOutcomes(const World& world, int m);
  void ExpandDeliveries(const World& world, int p);
  void ExpandSurface(const World& world);
  void ExpandCrash(const World& world, int p);

  bool IsProvable(const World& world, int p, uint64_t generation) const;
  bool MembersAreThrough(const World& world, int p, uint64_t generation) const;
  bool MayLetGo(const World& world, int p, uint64_t generation) const;
  SendTo WhereTo(const World& world, int p, bool unresolved) const;
  Judgement Judge(const View& view, const Copy& copy, PlaceId place) const;
  std::string CheckTake(const World& world, int p, const Copy& copy,
                        bool late) const;
  std::string CheckEffect(const World& world, int p, const Copy& copy) const;
  void AddCopy(World& world, int message, uint64_t generation) const;
  bool IsUnresolved(const World& world, int p, int key) const;

  Scenario scenario_;
  mutable Processes processes_;
  std::vector<Successor>* out_ = nullptr;
};

}  // namespace tieline::model

#endif  // TIELINE_TESTS_MODEL_MOVE_MODEL_H_
