// What a QueueMove has under way: preparing a place, writing the record,
// switching, and waiting for what ends by itself.
#include <algorithm>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/move/queue_move.h"

namespace tieline::inline v0 {
namespace {

using move_task::kAnswerTime;
using move_task::kAskAgain;

constexpr absl::Duration kLook = absl::Milliseconds(5);
constexpr absl::Duration kTryAgain = absl::Seconds(1);

}  // namespace

bool QueueMove::Work(absl::Time now) {
  return WorkPrepare(now) || WorkCommit(now) || WorkSwitch(now) ||
         WorkWaits(now) || WorkAsks(now) || WorkProofs(now);
}

// ---- Preparing.

absl::Status QueueMove::LegsReady(PlaceId place, bool* ready) const {
  *ready = true;
  absl::Status error;
  const auto look = [&](bool is_open, const absl::Status& last) {
    if (is_open) return;
    *ready = false;
    if (error.ok() || IsPermanent(last)) error = last;
  };
  for (const SenderEntry& entry : senders_) {
    const auto leg = entry.legs.find(place);
    if (leg == entry.legs.end()) continue;
    look(leg->second->link().is_open(), leg->second->link().last_error());
  }
  for (const ReceiverEntry& entry : receivers_) {
    const auto leg = entry.legs.find(place);
    if (leg == entry.legs.end()) continue;
    look(leg->second->is_open(), leg->second->last_error());
  }
  return error;
}

absl::Status QueueMove::CheckLimits(const Binding& binding) const {
  PlaceId present = 0;
  bool ordered = false;
  {
    MutexLock lock(&mu_);
    present = move_->record().present.place;
    ordered = places_.at(binding.place).ordered == Order::kPerKey;
  }
  for (const SenderEntry& entry : senders_) {
    const auto from = entry.legs.find(present);
    const auto to = entry.legs.find(binding.place);
    if (from == entry.legs.end() || to == entry.legs.end()) continue;
    const Capabilities has = from->second->link().capabilities();
    const Capabilities will = to->second->link().capabilities();
    if (will.max_message_bytes > 0 &&
        will.max_message_bytes < has.max_message_bytes) {
      return MakeStatus(
          absl::StatusCode::kFailedPrecondition,
          "{} takes messages of {} bytes at most, {} of {}: raise its limit",
          to->second->link().name(), will.max_message_bytes,
          from->second->link().name(), has.max_message_bytes);
    }
    if (ordered && !will.has(Capability::kOrdering)) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "{}: the broker keeps no order, which the queue needs",
                        to->second->link().name());
    }
  }
  return absl::OkStatus();
}

void QueueMove::AskToPrepare(const Binding& binding) {
  const auto fix_start = [this, binding] {
    Ask(binding.place, driver::Request::Op::kFixStart, kAnswerTime,
        [this, binding](const driver::Reply& reply) {
          if (!preparing_ || preparing_->binding != binding) return;
          preparing_->answered = true;
          preparing_->status = reply.status;
          preparing_->existing = reply.count;
        });
  };
  bool creates = senders_.empty() && receivers_.empty();
  {
    MutexLock lock(&mu_);
    creates = creates && places_.at(binding.place).create;
  }
  if (!creates) return fix_start();
  // No handle does it. What came of it, the next answer says.
  Ask(binding.place, driver::Request::Op::kCreateEntity, kAnswerTime,
      [fix_start](const driver::Reply&) { fix_start(); });
}

bool QueueMove::WorkPrepare(absl::Time now) {
  if (!preparing_) return false;
  Preparing& p = *preparing_;
  const std::shared_ptr<MoveGroup> group = GroupOf(p.binding.generation);
  if (group != nullptr && group->AllPrepared()) {
    Feed(move_event::Prepared{p.binding.generation});
    return true;
  }
  bool ready = false;
  absl::Status error = LegsReady(p.binding.place, &ready);
  bool failed = IsPermanent(error);
  if (ready && !p.asked) {
    error = CheckLimits(p.binding);
    failed = !error.ok();
    p.asked = true;
    AskToPrepare(p.binding);
  }
  if (!failed && p.answered) {
    // Who can't say is taken as it is.
    const bool can_say = p.status.code() != absl::StatusCode::kUnimplemented;
    bool accepts = false;
    std::string place;
    {
      MutexLock lock(&mu_);
      accepts = accepts_existing_ || !options_.members.empty();
      place = places_.NameOf(p.binding.place);
    }
    if (p.status.ok() || !can_say) {
      const bool fits = !can_say || p.existing <= 0 || accepts;
      if (fits && group != nullptr) group->SetPrepared(name_);
      if (fits && (group == nullptr || group->AllPrepared())) {
        Feed(move_event::Prepared{p.binding.generation});
        return true;
      }
      if (fits) {
        By(now + kLook);
        error = absl::UnavailableError(
            "another queue of the plan could not be prepared in time");
      } else {
        failed = true;
        error = MakeStatus(absl::StatusCode::kFailedPrecondition,
                           "queue {}: {} messages are at {} already: empty it, "
                           "or accept that they are delivered first",
                           name_, p.existing, place);
      }
    } else if (IsPermanent(p.status)) {
      failed = true;
      error = p.status;
    } else {
      error = p.status;
      p.asked = p.answered = false;
    }
  }
  if (!failed && group != nullptr && !group->failure().ok()) {
    failed = true;
    error = group->failure();
  }
  if (!failed && now >= p.give_up_at) {
    failed = true;
    if (error.ok()) {
      error = absl::UnavailableError("the new broker does not answer");
    }
  }
  if (failed) {
    SetStatus(error);
    const uint64_t generation = p.binding.generation;
    FailGroup(generation, error);
    Feed(move_event::PrepareFailed{generation});
    if (!Mutant(70)) Feed(move_event::Undo{});
    return true;
  }
  By(std::min(now + kAskAgain, p.give_up_at));
  return false;
}

std::shared_ptr<MoveGroup> QueueMove::GroupOf(uint64_t generation) const {
  const auto it = groups_.find(generation);
  return it == groups_.end() ? nullptr : it->second;
}

void QueueMove::FailGroup(uint64_t generation, const absl::Status& why) {
  const std::shared_ptr<MoveGroup> group = GroupOf(generation);
  if (group == nullptr) return;
  group->Fail(name_, why);
  if (!group->failure().ok()) groups_.erase(generation);
}

// ---- Writing.

void QueueMove::Commit(SavedMove saved, bool moves) {
  const auto group = moves ? GroupOf(saved.generation) : nullptr;
  const auto done = [this, self = shared_from_this(),
                     group](const absl::Status& status) {
    Post([this, group, status] { OnCommitted(group.get(), status); });
  };
  if (group != nullptr) {
    group->Commit(&host_->store(), name_, std::move(saved), done);
  } else {
    host_->store().Commit({{name_, std::move(saved)}}, done);
  }
}

void QueueMove::OnCommitted(MoveGroup* group, const absl::Status& status) {
  if (!committing_ || !committing_->submitted) return;
  const uint64_t generation = committing_->record.present.generation;
  if (status.ok()) {
    groups_.erase(groups_.begin(), groups_.upper_bound(generation));
    committing_.reset();
    Feed(move_event::Committed{});
    return;
  }
  SetStatus(status);
  if (group != nullptr && !group->failure().ok()) {
    groups_.erase(generation);
    committing_.reset();
    Feed(move_event::CommitFailed{});
    Feed(move_event::Undo{});
    return;
  }
  if (group != nullptr) group->OnCommitFailed();
  committing_->submitted = false;
  committing_->again_at = clock_->Steady() + kTryAgain;
  if (absl::IsAborted(status)) {
    Feed(move_event::CommitUnknown{});
  } else {
    Feed(move_event::CommitFailed{});
  }
}

bool QueueMove::WorkCommit(absl::Time now) {
  if (!committing_) return false;
  Committing& c = *committing_;
  if (c.again_at != absl::InfiniteFuture()) {
    if (now < c.again_at) {
      By(c.again_at);
      return false;
    }
    committing_.reset();
    Feed(move_event::Retry{});
    return true;
  }
  if (c.submitted) return false;
  const bool all_held =
      std::all_of(senders_.begin(), senders_.end(), [](const auto& entry) {
        const std::shared_ptr<SenderCore> core = entry.core.lock();
        return core == nullptr || core->ended() || core->held();
      });
  SavedMove saved;
  bool moves = false;
  {
    MutexLock lock(&mu_);
    saved.generation = c.record.present.generation;
    saved.digest = digest_;
    saved.record = places_.Encode(c.record);
    // The senders call when they hold.
    moves = c.record.present != move_->record().present;
    if (moves && !all_held) return false;
  }
  c.submitted = true;
  Commit(std::move(saved), moves);
  return false;
}

// ---- Switching.

bool QueueMove::WorkSwitch(absl::Time now) {
  PlaceId present = 0;
  MoveWants wants;
  {
    MutexLock lock(&mu_);
    if (move_->state() != MoveState::kSwitching) return false;
    present = move_->record().present.place;
    wants = move_->Wants();
  }
  bool all = true;
  for (SenderEntry& entry : senders_) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    if (core == nullptr || core->ended()) continue;
    const auto leg = entry.legs.find(present);
    const bool there = leg != entry.legs.end() && core->IsAt(*leg->second);
    if (there && (core->away() == 0 || Mutant(72))) continue;
    all = false;
    if (now >= cut_at_) {
      core->CutAway();
      entry.cut = true;
    }
  }
  if (!all) {
    if (now >= cut_at_) cut_at_ = now + kTryAgain;
    By(cut_at_);
    return false;
  }
  // Together: what one of them sends again comes before what the others have.
  bool unfenced = false;
  for (SenderEntry& entry : senders_) {
    if (!entry.fenced) continue;
    unfenced = true;
    Unfence(entry, wants);
  }
  if (unfenced) return true;
  for (const SenderEntry& entry : senders_) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    if (core == nullptr) continue;
    const SenderCore::MoveCounts counts = core->TakeMoveCounts();
    MutexLock lock(&mu_);
    report_.in_flight += counts.in_flight;
    report_.in_doubt += counts.in_doubt;
    report_.longest_pause =
        std::max(report_.longest_pause, counts.longest_pause);
  }
  Feed(move_event::NothingUnresolved{});
  return true;
}

// ---- Waiting.

bool QueueMove::WorkWaits(absl::Time now) {
  for (const auto& [generation, waiting] : finishing_) {
    if (now < waiting.until && !IsIdleAt(waiting.binding.place)) {
      By(now + kLook);
      continue;
    }
    for (ReceiverEntry& entry : receivers_) {
      const auto leg = entry.legs.find(waiting.binding.place);
      const std::shared_ptr<ReceiverCore> core = entry.core.lock();
      if (leg == entry.legs.end() || core == nullptr) continue;
      core->DropLeg(leg->second);
      entry.legs.erase(leg);
    }
    Feed(move_event::HandlersDone{generation});
    return true;
  }
  for (auto& [generation, waiting] : retiring_) {
    if ((now >= waiting.until || Mutant(73)) &&
        IsIdleAt(waiting.binding.place)) {
      if (waiting.left || !HasMembers()) {
        Feed(move_event::RetireOver{generation});
        return true;
      }
      if (waiting.asking) continue;
      if (now >= waiting.next_ask) {
        AskRetired(waiting);
      } else {
        By(waiting.next_ask);
      }
      continue;
    }
    By(std::max(waiting.until, now + kLook));
  }
  return false;
}

}  // namespace tieline::inline v0
