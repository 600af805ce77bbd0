#include "tests/model/process.h"

#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tieline::model {
namespace {

// What an input is in the table of states; nothing: it must not change one.
std::optional<MoveCause> CauseOf(Input::Kind kind) {
  switch (kind) {
    case Input::Kind::kPlan:
      return MoveCause::kPlan;
    case Input::Kind::kCommitted:
      return MoveCause::kCommitted;
    case Input::Kind::kNothingUnresolved:
      return MoveCause::kNothingUnresolved;
    case Input::Kind::kRestart:
      return MoveCause::kRestart;
    default:
      return std::nullopt;
  }
}

// How far a generation has come in a record: it never falls.
int StageOf(const MoveRecord& record, uint64_t generation) {
  if (generation > record.present.generation) return 0;
  if (generation == record.present.generation) return 1;
  if (const Undrained* undrained = record.FindUndrained(generation)) {
    return 2 + static_cast<int>(undrained->stage);
  }
  const Retired* retired = record.FindRetired(generation);
  if (retired == nullptr) return 7;
  return retired->given_up ? 5 : 6;
}

}  // namespace

Processes::Processes(bool ordered, Bindings bindings,
                     const std::array<Role, kProcesses>& roles)
    : ordered_(ordered), bindings_(std::move(bindings)), roles_(roles) {}

MoveOptions Processes::OptionsOf(uint8_t process) const {
  MoveOptions options;
  options.ordered = ordered_;
  options.sends = roles_[process].sends;
  options.reads = roles_[process].reads;
  return options;
}

MovePlan Processes::PlanOf(size_t bindings) const {
  return {Bindings(bindings_.begin(),
                   bindings_.begin() + static_cast<ptrdiff_t>(bindings))};
}

uint16_t Processes::Start(int p) {
  MoveRecord record;
  record.present = bindings_.front();
  const auto process = static_cast<uint8_t>(p);
  return Intern({Move(OptionsOf(process), record), record, process, 1, false});
}

uint16_t Processes::Next(uint16_t id, Input input) {
  const uint32_t step = (uint32_t{id} << 16) |
                        (static_cast<uint32_t>(input.kind) << 8) | input.what;
  if (const auto it = next_.find(step); it != next_.end()) return it->second;
  const uint16_t next = Intern(Follow(locals_[id], input));
  next_.emplace(step, next);
  Note(views_[id].state, input.kind, views_[next].state);
  return next;
}

void Processes::Note(MoveState from, Input::Kind kind, MoveState to) {
  // A record that was lost is no restart from it.
  const bool is_loss = kind == Input::Kind::kRestartWithFirstRecord ||
                       kind == Input::Kind::kRestartWithoutRecord;
  if (from == to || is_loss) return;
  changes_.insert(ChangeText(from, CauseOf(kind), to));
}

void Processes::Restart(Local& local) const {
  local.move = Move(OptionsOf(local.process), local.disk);
  local.heard = static_cast<uint8_t>(local.disk.present.generation);
  local.has_word = false;
}

Processes::Local Processes::Follow(Local local, Input input) const {
  using Kind = Input::Kind;
  namespace event = move_event;
  const uint64_t what = input.what;
  Move& move = local.move;
  const auto write = [&] {
    if (const auto commit = move.Wants().commit) local.disk = *commit;
  };
  switch (input.kind) {
    case Kind::kPlan:
      local.heard = input.what;
      move.Apply(event::Plan{PlanOf(what)});
      break;
    case Kind::kPrepared:
      move.Apply(event::Prepared{what});
      break;
    case Kind::kCommitted:
      write();
      move.Apply(event::Committed{});
      break;
    case Kind::kCommitFailed:
      move.Apply(event::CommitFailed{});
      break;
    case Kind::kCommitUnanswered:
      write();
      move.Apply(event::CommitUnknown{});
      break;
    case Kind::kCommitLost:
      move.Apply(event::CommitUnknown{});
      break;
    case Kind::kRetry:
      move.Apply(event::Retry{});
      break;
    case Kind::kNothingUnresolved:
      move.Apply(event::NothingUnresolved{});
      break;
    case Kind::kWord:
      local.has_word = true;
      move.Apply(event::Word{event::Word::Decision::kProceed, what});
      break;
    case Kind::kHandlersDone:
      move.Apply(event::HandlersDone{what});
      break;
    case Kind::kDrained:
      move.Apply(event::Drained{what});
      break;
    case Kind::kMembersDrained:
      move.Apply(event::MembersDrained{what});
      break;
    case Kind::kMembersUndrained:
      move.Apply(event::MembersUndrained{what});
      break;
    case Kind::kRetireOver:
      move.Apply(event::RetireOver{what});
      break;
    case Kind::kRestart:
      Restart(local);
      break;
    case Kind::kRestartWithFirstRecord:
      local.disk = {};
      local.disk.present = bindings_.front();
      Restart(local);
      break;
    case Kind::kRestartWithoutRecord:
      local.disk = {};
      local.move = Move(OptionsOf(local.process), PlanOf(what));
      local.heard = input.what;
      local.has_word = false;
      break;
  }
  return local;
}

uint16_t Processes::Intern(const Local& local) {
  const auto [it, is_new] =
      ids_.try_emplace(local, static_cast<uint16_t>(locals_.size()));
  if (is_new) {
    if (locals_.size() > std::numeric_limits<uint16_t>::max()) {
      throw std::length_error("too many states of a process");
    }
    locals_.push_back(local);
    views_.push_back(Look(local));
  }
  return it->second;
}

View Processes::Look(const Local& local) const {
  View view;
  const Move& move = local.move;
  view.state = move.state();
  view.heard = local.heard;
  view.generation = move.record().present.generation;
  view.generation_on_disk = local.disk.present.generation;
  view.wants = move.Wants();
  view.send = move.SendNow(false);
  if (view.wants.commit && roles_[local.process].sends) {
    view.send_uncommitted = {false, view.wants.commit->present};
  }
  view.send_as_recorded = {false, move.record().present};
  Move retried = move;
  retried.Apply(move_event::Retry{});
  view.waits_for_retry = retried != move;
  view.has_word = local.has_word;
  for (uint64_t g = 1; g <= bindings_.size(); ++g) {
    const PlaceId place = bindings_[g - 1].place;
    view.judgement[g - 1] = move.JudgeDelivery(g, place);
    view.standing[g - 1] = move.StandingOf(g);
    const Undrained* undrained = move.record().FindUndrained(g);
    const Retired* retired = move.record().FindRetired(g);
    view.is_asking[g - 1] =
        undrained != nullptr && undrained->stage == DrainStage::kAsking;
    view.is_proved[g - 1] =
        undrained != nullptr && undrained->stage == DrainStage::kProved;
    view.is_given_up[g - 1] = retired != nullptr && retired->given_up;
  }
  view.progress = ProgressOf(local) + (view.wants.commit ? 20 : 0) +
                  (view.waits_for_retry ? 10 : 0) +
                  (view.state == MoveState::kSwitching ? 0 : 800) +
                  (view.wants.prepare ? 0 : 5);
  return view;
}

int64_t Processes::ProgressOf(const Local& local) const {
  const Move& move = local.move;
  int64_t progress = local.heard * 100 + (local.has_word ? 50 : 0);
  for (uint64_t g = 1; g <= bindings_.size(); ++g) {
    progress += 2000 * (StageOf(move.record(), g) + StageOf(local.disk, g));
  }
  return progress;
}

}  // namespace tieline::model
