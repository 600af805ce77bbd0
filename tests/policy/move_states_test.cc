// The table of a move's states is what the machine does, and the picture what
// the table says.
#include "lib/policy/move_states.h"

#include <deque>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/container/node_hash_set.h"
#include "lib/policy/move.h"
#include "tests/policy/move_changes.h"
#include "tests/policy/move_states_svg.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

namespace event = move_event;

// One process: its machine, its state file, and how much of the plan it heard.
struct Local {
  Move move;
  MoveRecord disk;
  size_t heard = 1;

  friend bool operator==(const Local&, const Local&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Local& l) {
    return H::combine(std::move(h), l.move, l.disk, l.heard);
  }
};

// Goes through all that can happen to one process, in every order. Answers come
// only to what is asked.
class Walk {
 public:
  Walk(const MoveOptions& options, const std::vector<PlaceId>& places)
      : options_(options) {
    for (const PlaceId place : places) {
      bindings_.push_back({bindings_.size() + 1, place});
    }
  }

  void Run(MoveChanges* changes) {
    changes_ = changes;
    MoveRecord first;
    first.present = bindings_.front();
    Add({Move(options_, first), first, 1});
    for (size_t n = 1; n <= bindings_.size(); ++n) {
      Add({Move(options_, PlanOf(n)), {}, n});
    }
    while (!open_.empty()) {
      at_ = open_.front();
      open_.pop_front();
      Step();
    }
  }
  size_t states() const { return known_.size(); }

 private:
  MovePlan PlanOf(size_t n) const {
    return {Bindings(bindings_.begin(),
                     bindings_.begin() + static_cast<ptrdiff_t>(n))};
  }

  void Add(Local local) {
    const auto [it, is_new] = known_.insert(std::move(local));
    if (is_new) open_.push_back(&*it);
  }

  void Note(const Local& next, std::optional<MoveCause> cause) {
    if (next.move.state() == at_->move.state()) return;
    changes_->insert(ChangeText(at_->move.state(), cause, next.move.state()));
  }

  void Hear(const MoveEvent& event, Local next) {
    next.move.Apply(event);
    Note(next, CauseOf(event));
    Add(std::move(next));
  }
  void Hear(const MoveEvent& event) { Hear(event, *at_); }

  Local Written() const {
    Local next = *at_;
    next.disk = *at_->move.Wants().commit;
    return next;
  }

  void Step() {
    const MoveWants wants = at_->move.Wants();
    for (size_t n = at_->heard + 1; n <= bindings_.size(); ++n) {
      Local next = *at_;
      next.heard = n;
      Hear(event::Plan{PlanOf(n)}, std::move(next));
    }
    Hear(event::Undo{});
    Hear(event::Retry{});
    Hear(event::NothingUnresolved{});
    Hear(event::Word{event::Word::Decision::kHold, 0});
    for (uint64_t g = 1; g <= bindings_.size(); ++g) {
      Hear(event::Word{event::Word::Decision::kProceed, g});
      Hear(event::LateSeen{g});
    }
    if (wants.prepare) {
      Hear(event::Prepared{wants.prepare->generation});
      Hear(event::PrepareFailed{wants.prepare->generation});
    }
    if (wants.commit) {
      Hear(event::Committed{}, Written());
      Hear(event::CommitFailed{});
      Hear(event::CommitUnknown{});
      Hear(event::CommitUnknown{}, Written());
    }
    for (const Binding& b : wants.prove) {
      Hear(event::Drained{b.generation});
      Hear(event::MembersDrained{b.generation});
    }
    for (const Binding& b : wants.ask) {
      Hear(event::MembersDrained{b.generation});
      Hear(event::MembersUndrained{b.generation});
    }
    for (const Binding& b : wants.finish) {
      Hear(event::HandlersDone{b.generation});
    }
    for (const Binding& b : wants.retire) {
      Hear(event::RetireOver{b.generation});
    }
    if (at_->disk.present.generation == 0) return;
    const Local next = {Move(options_, at_->disk), at_->disk,
                        at_->disk.present.generation};
    Note(next, MoveCause::kRestart);
    Add(next);
  }

  const MoveOptions options_;
  Bindings bindings_;
  absl::node_hash_set<Local> known_;
  std::deque<const Local*> open_;
  const Local* at_ = nullptr;
  MoveChanges* changes_ = nullptr;
};

TEST_CASE("the table of states has what the machine does, and nothing else") {
  MoveChanges seen;
  size_t states = 0;
  for (const std::vector<PlaceId>& places :
       {std::vector<PlaceId>{0, 1, 0}, std::vector<PlaceId>{0, 1, 2}}) {
    for (const bool ordered : {true, false}) {
      for (const auto& [sends, reads] :
           {std::pair{true, true}, {true, false}, {false, true}}) {
        MoveOptions options;
        options.ordered = ordered;
        options.sends = sends;
        options.reads = reads;
        Walk walk(options, places);
        walk.Run(&seen);
        states += walk.states();
      }
    }
  }
  CHECK(states > 20'000);
  CHECK(seen == ChangesOfTable());
  CHECK(ChangesOfTable().size() == kMoveTransitions.size());
}

TEST_CASE("the picture of the states is the one that the table gives") {
  std::ifstream file(TIELINE_MOVE_STATES_SVG, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  INFO(
      "draw it anew: build/dev/tests/policy/move_states_svg > "
      "docs/move-states.svg");
  CHECK((text == DrawMoveStates()));
}

}  // namespace
}  // namespace tieline
