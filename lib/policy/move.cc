#include "lib/policy/move.h"

#include <algorithm>
#include <tuple>

#include "lib/base/mutant.h"

namespace tieline::inline v0 {
namespace {

using move_action::Report;
using Step = Report::Step;

void Tell(Step step, const Binding& binding, MoveActions& out) {
  out.push_back(Report{step, binding, {}});
}

void TellRefused(MoveRefusal refusal, const Binding& binding,
                 MoveActions& out) {
  out.push_back(Report{Step::kRefused, binding, refusal});
}

}  // namespace

Move::Move(const MoveOptions& options, MoveRecord record)
    : options_(options), record_(std::move(record)) {}

Move::Move(const MoveOptions& options, const MovePlan& plan)
    : options_(options), pending_(RecordOf(plan)) {}

MoveActions Move::Begin() const {
  MoveActions out;
  Wants().ActionsSince({}, out);
  return out;
}

MoveActions Move::Apply(const MoveEvent& event) {
  const MoveWants before = Wants();
  MoveActions reports;
  std::visit([&](const auto& e) { On(e, reports); }, event);
  CommitMove();
  MoveActions out;
  Wants().ActionsSince(before, out);
  out.insert(out.end(), reports.begin(), reports.end());
  return out;
}

void Move::On(const move_event::Plan& event, MoveActions& out) {
  const MovePlan& plan = event.plan;
  if (const auto refusal = Refuse(plan)) {
    const bool named = !plan.bindings.empty();
    TellRefused(*refusal, named ? plan.target() : Binding{}, out);
    return;
  }
  const uint64_t known =
      ahead_.empty() ? record_.present.generation : ahead_.back().generation;
  if (plan.target().generation > known) {
    Tell(Step::kPlanned, plan.target(), out);
    prepare_waits_ = false;
    starts_ = event.at_start;
  }
  // What is on its way to disk stays as it is; the rest follows the plan.
  ahead_.clear();
  for (const Binding& binding : plan.bindings) {
    if (binding.generation > record_.present.generation) {
      ahead_.push_back(binding);
    }
  }
}

std::optional<MoveRefusal> Move::Refuse(const MovePlan& plan) const {
  if (!plan.IsValid()) return MoveRefusal::kMalformed;
  if (plan.bindings.size() > options_.max_bindings) {
    return MoveRefusal::kTooLong;
  }
  const Binding& present = IsJoining() ? pending_->present : record_.present;
  const uint64_t known =
      ahead_.empty() ? present.generation : ahead_.back().generation;
  if (plan.target().generation < known) return MoveRefusal::kOlder;
  const auto contradicts = [&](const Binding& known_binding) {
    return std::any_of(plan.bindings.begin(), plan.bindings.end(),
                       [&](const Binding& b) {
                         return b.generation == known_binding.generation &&
                                b.place != known_binding.place;
                       });
  };
  // A process that moves on leaves its place behind undrained.
  const auto forgets = [&](const Binding& known_binding) {
    return known_binding.generation > proceed_ && !plan.Names(known_binding);
  };
  if (contradicts(present) ||
      std::any_of(ahead_.begin(), ahead_.end(), contradicts)) {
    return MoveRefusal::kContradicts;
  }
  for (const Undrained& undrained : record_.undrained) {
    if (contradicts(undrained.binding)) return MoveRefusal::kContradicts;
    if (forgets(undrained.binding)) return MoveRefusal::kStillUndrained;
  }
  if (forgets(present) || std::any_of(ahead_.begin(), ahead_.end(), forgets)) {
    return MoveRefusal::kStillUndrained;
  }
  return std::nullopt;
}

void Move::On(const move_event::Undo&, MoveActions& out) {
  if (IsJoining() || (MovesNow() && (is_in_doubt_ || !commit_waits_))) {
    TellRefused(MoveRefusal::kCommitted, pending_->present, out);
    return;
  }
  if (ahead_.empty()) {
    const MoveRefusal why = record_.undrained.empty()
                                ? MoveRefusal::kNothingToUndo
                                : MoveRefusal::kCommitted;
    TellRefused(why, record_.present, out);
    return;
  }
  if (MovesNow()) {
    pending_.reset();
    commit_waits_ = false;
  }
  Tell(Step::kUndone, ahead_.back(), out);
  ahead_.clear();
  prepared_ = 0;
  prepare_waits_ = false;
  starts_ = false;
}

void Move::On(const move_event::Prepared& event, MoveActions&) {
  const Binding* hop = NextHop();
  if (hop != nullptr && hop->generation == event.generation) {
    prepared_ = event.generation;
  }
}

void Move::On(const move_event::PrepareFailed& event, MoveActions& out) {
  const Binding* hop = NextHop();
  if (hop == nullptr || hop->generation != event.generation) return;
  prepare_waits_ = true;
  starts_ = false;
  Tell(Step::kPrepareFailed, *hop, out);
}

void Move::On(const move_event::Committed&, MoveActions& out) {
  if (!pending_) return;
  const MoveRecord before = std::exchange(record_, *std::move(pending_));
  pending_.reset();
  is_in_doubt_ = false;
  commit_waits_ = false;
  if (before.present != record_.present) {
    if (options_.sends && !Mutant(11)) left_ = before.present;
    prepared_ = 0;
    starts_ = false;
    const auto gone_to = [&](const Binding& b) {
      return b.generation <= record_.present.generation && !Mutant(27);
    };
    ahead_.erase(std::remove_if(ahead_.begin(), ahead_.end(), gone_to),
                 ahead_.end());
  }
  ReportChange(before, out);
}

void Move::ReportChange(const MoveRecord& before, MoveActions& out) const {
  if (before.present != record_.present) {
    Tell(Step::kMoved, record_.present, out);
  }
  for (const Undrained& was : before.undrained) {
    const uint64_t generation = was.binding.generation;
    const Undrained* now = record_.FindUndrained(generation);
    if (now == nullptr) {
      const Retired* retired = record_.FindRetired(generation);
      const bool given_up =
          retired != nullptr ? retired->given_up : generation <= proceed_;
      Tell(given_up ? Step::kGivenUp : Step::kDrained, was.binding, out);
    } else if (now->stage != was.stage && now->stage == DrainStage::kProved) {
      Tell(Step::kProved, was.binding, out);
    }
  }
  for (const Retired& was : before.retired) {
    const Retired* now = record_.FindRetired(was.binding.generation);
    if (now == nullptr && !record_.Uses(was.binding.place)) {
      Tell(Step::kLetGo, was.binding, out);
    } else if (now != nullptr && was.given_up && !now->given_up) {
      Tell(Step::kProved, was.binding, out);
    }
  }
}

void Move::On(const move_event::CommitFailed&, MoveActions& out) {
  if (!pending_) return;
  commit_waits_ = true;
  starts_ = false;
  Tell(Step::kCommitFailed, pending_->present, out);
}

void Move::On(const move_event::CommitUnknown&, MoveActions& out) {
  if (!pending_) return;
  is_in_doubt_ = true;
  commit_waits_ = true;
  Tell(Step::kCommitInDoubt, pending_->present, out);
}

void Move::On(const move_event::NothingUnresolved&, MoveActions& out) {
  if (left_.generation == 0) return;
  left_ = {};
  Tell(Step::kSwitched, record_.present, out);
}

void Move::On(const move_event::Drained& event, MoveActions&) {
  if (left_.generation != 0) return;
  MoveRecord next = record_;
  const bool changed = next.Prove(event.generation);
  CommitIf(changed, std::move(next));
}

void Move::On(const move_event::MembersDrained& event, MoveActions&) {
  if (left_.generation != 0) return;
  MoveRecord next = record_;
  const bool changed = Mutant(15) ? next.GiveUp(event.generation)
                                  : next.Release(event.generation);
  CommitIf(changed, std::move(next));
}

void Move::On(const move_event::MembersUndrained& event, MoveActions&) {
  MoveRecord next = record_;
  const bool changed = next.Open(event.generation);
  CommitIf(changed, std::move(next));
}

void Move::On(const move_event::Word& event, MoveActions& out) {
  if (event.decision == move_event::Word::Decision::kHold) {
    proceed_ = 0;
    Tell(Step::kHeld, record_.present, out);
    return;
  }
  proceed_ = std::max(proceed_, event.generation + (Mutant(24) ? 1 : 0));
}

void Move::On(const move_event::HandlersDone& event, MoveActions&) {
  const Binding* binding = GivingUp();
  if (binding == nullptr || binding->generation != event.generation) return;
  MoveRecord next = record_;
  const bool changed = next.GiveUp(event.generation);
  CommitIf(changed, std::move(next));
}

void Move::On(const move_event::RetireOver& event, MoveActions&) {
  MoveRecord next = record_;
  const bool changed = next.LetGo(event.generation);
  CommitIf(changed, std::move(next));
}

void Move::On(const move_event::LateSeen& event, MoveActions& out) {
  const Retired* retired = record_.FindRetired(event.generation);
  const Binding binding =
      retired != nullptr ? retired->binding : Binding{event.generation, 0};
  if (retired != nullptr && !retired->given_up && !pending_) {
    out.push_back(move_action::AwaitRetired{binding});
  }
  Tell(Step::kLateSeen, binding, out);
}

void Move::On(const move_event::Retry&, MoveActions&) {
  commit_waits_ = false;
  prepare_waits_ = false;
}

bool Move::MovesNow() const {
  return pending_ && pending_->present != record_.present;
}

const Binding* Move::NextHop() const {
  if (IsJoining() || left_.generation != 0) return nullptr;
  if (record_.undrained.size() >= options_.max_bindings) return nullptr;
  // As far as can be gone at once: not to a place that is to be drained first,
  // by what this process has or by what others had on the way.
  const Binding* hop = nullptr;
  for (auto it = ahead_.begin(); it != ahead_.end(); ++it) {
    const bool on_the_way =
        std::any_of(ahead_.begin(), it,
                    [&](const Binding& b) { return b.place == it->place; });
    if (!on_the_way && !record_.Uses(it->place)) hop = &*it;
  }
  return hop;
}

void Move::CommitIf(bool changed, MoveRecord next) {
  if (!changed || pending_) return;
  // Who does not read listens nowhere.
  if (!options_.reads) next.retired.clear();
  pending_ = std::move(next);
}

const Binding* Move::GivingUp() const {
  if (record_.undrained.empty() || left_.generation != 0) return nullptr;
  const Binding& oldest = record_.undrained.front().binding;
  return oldest.generation <= proceed_ ? &oldest : nullptr;
}

void Move::CommitMove() {
  if (pending_ || GivingUp() != nullptr) return;
  const Binding* hop = NextHop();
  if (hop == nullptr || hop->generation != prepared_) return;
  MoveRecord next = record_;
  const size_t skipped = static_cast<size_t>(hop - ahead_.data());
  next.MoveTo(absl::MakeConstSpan(ahead_.data(), skipped), *hop);
  CommitIf(true, std::move(next));
}

bool operator==(const Move& a, const Move& b) {
  const auto fields = [](const Move& m) {
    return std::tie(m.record_, m.pending_, m.is_in_doubt_, m.commit_waits_,
                    m.ahead_, m.prepared_, m.prepare_waits_, m.left_,
                    m.proceed_, m.starts_);
  };
  return fields(a) == fields(b);
}

}  // namespace tieline::inline v0
