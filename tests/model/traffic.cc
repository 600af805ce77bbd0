// What becomes of messages: sends, their outcomes, deliveries, a crash.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/model/move_model.h"

namespace tieline::model {
namespace {

using Kind = Step::Kind;

Step Fault(Step step) {
  step.is_fault = true;
  return step;
}

}  // namespace

bool MoveModel::IsUnresolved(const World& world, int p, int key) const {
  for (int m = 0; m < scenario_.messages; ++m) {
    const MessageState& message = world.message[m];
    if (scenario_.producer[m] == p && scenario_.key[m] == key &&
        (message.fate == static_cast<uint8_t>(Fate::kInFlight) ||
         message.fate == static_cast<uint8_t>(Fate::kLanded))) {
      return true;
    }
  }
  return false;
}

SendTo MoveModel::WhereTo(const World& world, int p, bool unresolved) const {
  const View& view = ViewOf(world, p);
  if (HasBug(Bug::kSendsUncommitted) && !view.send_uncommitted.waits) {
    return view.send_uncommitted;
  }
  if (HasBug(Bug::kSendsInDoubt)) return view.send_as_recorded;
  return unresolved ? SendTo{} : view.send;
}

void MoveModel::ExpandSends(const World& world, int p) {
  for (int m = 0; m < scenario_.messages; ++m) {
    if (scenario_.producer[m] != p) continue;
    if (world.message[m].fate != static_cast<uint8_t>(Fate::kUnsent)) continue;
    const int key = scenario_.key[m];
    bool is_first = true;
    for (int other = 0; other < m; ++other) {
      is_first =
          is_first &&
          (scenario_.producer[other] != p || scenario_.key[other] != key ||
           world.message[other].fate == static_cast<uint8_t>(Fate::kAccepted));
    }
    if (!is_first) continue;
    const SendTo to = WhereTo(world, p, IsUnresolved(world, p, key));
    if (to.waits) continue;
    World next = world;
    next.message[m].fate = static_cast<uint8_t>(Fate::kInFlight);
    next.message[m].generation = to.binding.generation & 3u;
    const View& view = ViewOf(world, p);
    std::string violation;
    if (to.binding.generation < view.generation_on_disk) {
      violation = "a message is submitted to a place that was left";
    } else if (to.binding.generation > view.generation_on_disk) {
      violation = "a message is submitted before the generation is committed";
    }
    Emit(MakeStep(Kind::kSubmit, p, static_cast<uint64_t>(m), to.binding.place),
         next, std::move(violation));
  }
}

// The broker's own duplicate detection: a second send of the same message and
// generation is swallowed.
void MoveModel::AddCopy(World& world, int message, uint64_t generation) const {
  Late& late = world.late;
  if (late.state != Late::kNone && late.message == message &&
      late.generation == generation) {
    if (late.state == Late::kSurfaced) return;
    late = {};
  }
  auto& place = world.place[PlaceOf(generation)];
  const int key = scenario_.key[message];
  auto at = place.begin();
  while (at != place.end() && at->generation != 0 &&
         scenario_.key[at->message] <= key) {
    ++at;
  }
  if (place.back().generation != 0) throw std::length_error("a place is full");
  std::move_backward(at, place.end() - 1, place.end());
  *at = {};
  at->generation = generation & 3u;
  at->message = static_cast<uint8_t>(message) & 3u;
}

void MoveModel::ExpandOutcomes(const World& world, int m) {
  const MessageState& message = world.message[m];
  const int p = scenario_.producer[m];
  const uint64_t generation = message.generation;
  const PlaceId at = generation != 0 ? PlaceOf(generation) : 0;
  const auto what = static_cast<uint64_t>(m);
  const auto become = [&](Fate fate) {
    World next = world;
    next.message[m].fate = static_cast<uint8_t>(fate);
    if (fate == Fate::kUnsent || fate == Fate::kAccepted) {
      next.message[m].generation = 0;
    }
    return next;
  };
  const auto hide = [&](World& next, bool is_only) {
    next.lates_left = 0;
    next.late.state = Late::kHidden;
    next.late.message = what & 3u;
    next.late.generation = generation & 3u;
    next.late.is_only = is_only ? 1 : 0;
  };
  const bool was_left = ViewOf(world, p).generation > generation;
  // A broker that holds a message back holds back what follows it.
  const Late& late = world.late;
  const bool is_behind = late.state == Late::kHidden && late.is_only != 0 &&
                         late.generation == generation &&
                         scenario_.producer[late.message] == p &&
                         scenario_.key[late.message] == scenario_.key[m];
  if (message.fate == static_cast<uint8_t>(Fate::kInFlight)) {
    World next = become(Fate::kUnsent);
    if (is_behind) {
      if (was_left) Emit(MakeStep(Kind::kNotTaken, p, what, at), next);
      return;
    }
    next = become(Fate::kAccepted);
    AddCopy(next, m, generation);
    Emit(MakeStep(Kind::kAccept, p, what, at), next);
    if (was_left) {
      Emit(MakeStep(Kind::kNotTaken, p, what, at), become(Fate::kUnsent));
    }
    if (world.lates_left == 0 || generation == scenario_.plan.size()) return;
    next = become(Fate::kAccepted);
    hide(next, true);
    Emit(Fault(MakeStep(Kind::kAcceptHidden, p, what, at)), next);
    next = become(Fate::kLanded);
    next.lates_left = 0;
    AddCopy(next, m, generation);
    Emit(Fault(MakeStep(Kind::kLand, p, what, at)), next);
    if (was_left) {
      next = become(Fate::kUnsent);
      hide(next, false);
      Emit(Fault(MakeStep(Kind::kInDoubt, p, what, at)), next);
    }
  } else if (message.fate == static_cast<uint8_t>(Fate::kLanded)) {
    Emit(MakeStep(Kind::kAnswerLanded, p, what, at), become(Fate::kAccepted));
    if (was_left) {
      Emit(Fault(MakeStep(Kind::kInDoubt, p, what, at)), become(Fate::kUnsent));
    }
  }
}

void MoveModel::ExpandSurface(const World& world) {
  if (world.late.state != Late::kHidden) return;
  const Late late = world.late;
  // Before, it would only be one more message that nobody has read yet.
  bool is_late = false;
  for (int p = 0; p < kProcesses; ++p) {
    const Standing standing = ViewOf(world, p).standing[late.generation - 1u];
    is_late = is_late || standing == Standing::kLate ||
              standing == Standing::kDrained;
  }
  if (!is_late) return;
  World next = world;
  next.late = {};
  AddCopy(next, late.message, late.generation);
  next.late = late;
  next.late.state = Late::kSurfaced;
  Step step =
      MakeStep(Kind::kSurface, 0, late.message, PlaceOf(late.generation));
  // Nobody may count on a copy that was not accepted.
  step.is_fault = late.is_only == 0;
  Emit(step, next);
}

Judgement MoveModel::Judge(const View& view, const Copy& copy,
                           PlaceId place) const {
  if (HasBug(Bug::kReadsAbove) && copy.generation > view.generation) {
    return Judgement::kDeliver;
  }
  if (HasBug(Bug::kReadsAhead) && copy.generation <= view.generation) {
    return Judgement::kDeliver;
  }
  const auto has_credit =
      std::any_of(view.wants.receivers.begin(), view.wants.receivers.end(),
                  [&](const auto& r) { return r.place == place; });
  if (!has_credit) return Judgement::kHold;
  const Judgement judgement = view.judgement[copy.generation - 1u];
  if (HasBug(Bug::kMarksNothing) && judgement == Judgement::kDeliverLate) {
    return Judgement::kDeliver;
  }
  return judgement;
}

void MoveModel::ExpandDeliveries(const World& world, int p) {
  if (!scenario_.roles[p].reads) return;
  const View& view = ViewOf(world, p);
  const auto mine = static_cast<uint8_t>(p + 1);
  unsigned held = 0;
  for (const auto& place : world.place) {
    for (const Copy& copy : place) {
      if (copy.taken == mine) held |= 1u << copy.message;
    }
  }
  for (PlaceId at = 0; at < kPlaces; ++at) {
    unsigned keys = 0;
    for (size_t i = 0; i < kCopies; ++i) {
      const Copy copy = world.place[at][i];
      if (copy.generation == 0) break;
      if (copy.taken == mine) {
        World next = world;
        auto& place = next.place[at];
        std::move(place.begin() + static_cast<ptrdiff_t>(i) + 1, place.end(),
                  place.begin() + static_cast<ptrdiff_t>(i));
        place.back() = {};
        const auto bit = static_cast<uint8_t>(1u << copy.message);
        std::string violation;
        if ((world.inbox[p] & bit) == 0) {
          violation = CheckEffect(world, p, copy);
          next.inbox[p] |= bit;
          next.effects |= bit;
        }
        Emit(MakeStep(Kind::kSettle, p, copy.message, at), next,
             std::move(violation));
      }
      const unsigned key = 1u << scenario_.key[copy.message];
      if ((keys & key) != 0) continue;
      keys |= key;
      if (copy.taken != 0 || (held & (1u << copy.message)) != 0) continue;
      const Judgement judgement = Judge(view, copy, at);
      if (judgement == Judgement::kHold) continue;
      World next = world;
      Copy& taken = next.place[at][i];
      taken.taken = mine & 3u;
      taken.late = judgement == Judgement::kDeliverLate ? 1 : 0;
      const bool is_second = (world.inbox[p] & (1u << copy.message)) != 0;
      Emit(MakeStep(Kind::kTake, p, copy.message, at), next,
           is_second ? "" : CheckTake(world, p, copy, taken.late != 0));
    }
  }
}

void MoveModel::ExpandCrash(const World& world, int p) {
  if (world.crashes_left == 0) return;
  const auto mine = static_cast<uint8_t>(p + 1);
  World down = world;
  down.crashes_left = 0;
  for (auto& place : down.place) {
    for (Copy& copy : place) {
      if (copy.taken != mine) continue;
      copy.taken = 0;
      copy.late = 0;
    }
  }
  int in_flight = -1;
  for (int m = 0; m < scenario_.messages; ++m) {
    MessageState& message = down.message[m];
    if (scenario_.producer[m] != p ||
        message.fate == static_cast<uint8_t>(Fate::kAccepted)) {
      continue;
    }
    if (message.fate == static_cast<uint8_t>(Fate::kInFlight)) in_flight = m;
    message = {};
  }
  const auto restart = [&](Kind kind, World next) {
    const View& before = ViewOf(world, p);
    const auto come_back = [&](Input input) {
      World restarted = next;
      Feed(restarted, p, input);
      const bool fell =
          !scenario_.crash_loses_record &&
          ViewOf(restarted, p).generation < before.generation_on_disk;
      Emit(Fault(MakeStep(kind, p, input.what)), restarted,
           fell ? "a generation fell" : "");
    };
    if (scenario_.crash_loses_record) {
      next.inbox[p] = 0;
      for (size_t v = before.heard; v <= scenario_.plan.size(); ++v) {
        come_back(MakeInput(Input::Kind::kRestartWithoutRecord, v));
      }
    } else {
      come_back(MakeInput(HasBug(Bug::kForgetsRecord)
                              ? Input::Kind::kRestartWithFirstRecord
                              : Input::Kind::kRestart));
    }
  };
  restart(Kind::kCrash, down);
  if (in_flight < 0 || world.lates_left == 0 ||
      world.message[in_flight].generation == scenario_.plan.size()) {
    return;
  }
  down.lates_left = 0;
  down.late.state = Late::kHidden;
  down.late.message = static_cast<uint8_t>(in_flight) & 3u;
  down.late.generation = world.message[in_flight].generation;
  restart(Kind::kCrashInDoubt, down);
}

}  // namespace tieline::model
