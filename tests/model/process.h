// The processes of the model: a state machine and a state file each. What one
// process can be in is a small set: each such state gets a number, what it
// answers and what follows from an input are worked out once.
#ifndef TIELINE_TESTS_MODEL_PROCESS_H_
#define TIELINE_TESTS_MODEL_PROCESS_H_

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "lib/policy/move.h"
#include "tests/policy/move_changes.h"

namespace tieline::model {

constexpr int kProcesses = 2;
constexpr int kGenerations = 3;

struct Role {
  bool sends = true;
  bool reads = true;
};

// What happens to a process. `what` is a generation, or how many bindings of
// the plan it hears.
struct Input {
  enum class Kind : uint8_t {
    kPlan,
    kPrepared,
    kCommitted,
    kCommitFailed,
    kCommitLost,
    kCommitUnanswered,
    kRetry,
    kNothingUnresolved,
    kWord,
    kHandlersDone,
    kDrained,
    kMembersDrained,
    kMembersUndrained,
    kRetireOver,
    kRestart,
    kRestartWithFirstRecord,
    kRestartWithoutRecord,
  };
  Kind kind = Kind::kPlan;
  uint8_t what = 0;
};

// What the model asks of a process in one state.
struct View {
  MoveState state = MoveState::kActive;
  uint8_t heard = 0;  // bindings of the plan
  uint64_t generation = 0;
  uint64_t generation_on_disk = 0;
  bool has_word = false;
  bool waits_for_retry = false;
  MoveWants wants;
  SendTo send;
  // What a seeded wrong turn sends to: the record that is not committed.
  SendTo send_uncommitted;
  SendTo send_as_recorded;
  // [generation - 1]
  std::array<Judgement, kGenerations> judgement = {};
  std::array<Standing, kGenerations> standing = {};
  std::array<bool, kGenerations> is_asking = {};
  std::array<bool, kGenerations> is_proved = {};
  std::array<bool, kGenerations> is_given_up = {};
  int64_t progress = 0;
};

class Processes {
 public:
  // `bindings`: the whole plan.
  Processes(bool ordered, Bindings bindings,
            const std::array<Role, kProcesses>& roles);

  // The number of process `p` at the first binding.
  uint16_t Start(int p);
  // The state that follows; the same where the input changes nothing.
  uint16_t Next(uint16_t id, Input input);
  const View& view(uint16_t id) const { return views_[id]; }
  size_t size() const { return locals_.size(); }
  // The changes of a process's state that were worked out so far.
  const MoveChanges& changes() const { return changes_; }

 private:
  struct Local {
    Move move;
    MoveRecord disk;
    uint8_t process = 0;
    uint8_t heard = 0;
    bool has_word = false;

    friend bool operator==(const Local&, const Local&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Local& l) {
      return H::combine(std::move(h), l.move, l.disk, l.process, l.heard,
                        l.has_word);
    }
  };

  MoveOptions OptionsOf(uint8_t process) const;
  MovePlan PlanOf(size_t bindings) const;
  Local Follow(Local local, Input input) const;
  void Restart(Local& local) const;
  uint16_t Intern(const Local& local);
  void Note(MoveState from, Input::Kind kind, MoveState to);
  View Look(const Local& local) const;
  int64_t ProgressOf(const Local& local) const;

  bool ordered_;
  Bindings bindings_;
  std::array<Role, kProcesses> roles_;
  std::deque<Local> locals_;
  std::deque<View> views_;
  absl::node_hash_map<Local, uint16_t> ids_;
  absl::flat_hash_map<uint32_t, uint16_t> next_;
  MoveChanges changes_;
};

}  // namespace tieline::model

#endif  // TIELINE_TESTS_MODEL_PROCESS_H_
