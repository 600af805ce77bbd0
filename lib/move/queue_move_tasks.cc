// What a QueueMove has under way: preparing a place, writing the record,
// waiting for answers, and proving that a place is empty.
#include <algorithm>
#include <utility>

#include "lib/base/drain_proof.h"
#include "lib/base/mutant.h"
#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "lib/move/queue_move.h"

namespace tieline::inline v0 {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(5);
constexpr absl::Duration kAskAgain = absl::Milliseconds(20);
// Between two counts that say the same, where one alone proves nothing.
constexpr absl::Duration kApart = absl::Milliseconds(200);
constexpr absl::Duration kAnswerTime = absl::Seconds(2);
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
  {
    MutexLock lock(&mu_);
    if (move_->state() != MoveState::kSwitching) return false;
    present = move_->record().present.place;
  }
  bool all = true;
  for (const SenderEntry& entry : senders_) {
    const std::shared_ptr<SenderCore> core = entry.core.lock();
    if (core == nullptr || core->ended()) continue;
    const auto leg = entry.legs.find(present);
    const bool there = leg != entry.legs.end() && core->IsAt(*leg->second);
    if (there && (core->away() == 0 || Mutant(72))) continue;
    all = false;
    if (now >= cut_at_) core->CutAway();
  }
  if (!all) {
    if (now >= cut_at_) cut_at_ = now + kTryAgain;
    By(cut_at_);
    return false;
  }
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

// ---- Proving.

bool QueueMove::IsIdleAt(PlaceId place) const {
  return std::all_of(receivers_.begin(), receivers_.end(),
                     [place](const auto& entry) {
                       const auto leg = entry.legs.find(place);
                       return leg == entry.legs.end() || leg->second->IsIdle();
                     });
}

bool QueueMove::IsOpenAt(PlaceId place) const {
  return std::all_of(receivers_.begin(), receivers_.end(),
                     [place](const auto& entry) {
                       const auto leg = entry.legs.find(place);
                       return leg == entry.legs.end() || leg->second->is_open();
                     });
}

uint64_t QueueMove::ReceivedAt(PlaceId place) const {
  uint64_t received = 0;
  for (const ReceiverEntry& entry : receivers_) {
    const auto leg = entry.legs.find(place);
    if (leg != entry.legs.end()) received += leg->second->metrics().received;
  }
  return received;
}

void QueueMove::Ask(PlaceId place, driver::Request::Op op,
                    absl::Duration within,
                    std::function<void(driver::Reply)> done) {
  QueueConfig queue;
  {
    MutexLock lock(&mu_);
    queue = places_.at(place);
  }
  std::shared_ptr<Endpoint>& endpoint = asked_at_[place];
  if (endpoint == nullptr) {
    auto made = host_->EndpointAt(queue);
    if (!made.ok()) {
      driver::Reply reply;
      reply.status = made.status();
      asked_at_.erase(place);
      done(std::move(reply));
      return;
    }
    endpoint = *std::move(made);
  }
  driver::Request request;
  request.op = op;
  request.queue = std::move(queue);
  request.deadline = clock_->Steady() + within;
  endpoint->Ask(std::move(request),
                [this, self = shared_from_this(),
                 done = std::move(done)](driver::Reply reply) {
                  Post([done, reply = std::move(reply)] { done(reply); });
                });
}

void QueueMove::AskLeft(const Binding& binding) {
  {
    // A topic keeps what was read; nothing else is left in it.
    MutexLock lock(&mu_);
    if (report_.proof.starts_with(NameOf(DrainProof::kOffsets))) return;
  }
  Ask(binding.place, driver::Request::Op::kDepth, kAnswerTime,
      [this](const driver::Reply& reply) {
        if (!reply.status.ok()) return;
        MutexLock lock(&mu_);
        report_.left = reply.count;
      });
}

bool QueueMove::Confirm(Proof& proof, std::string text, absl::Time now) {
  if (!HasMembers()) return Prove(proof, std::move(text));
  proof.found = std::move(text);
  proof.next_ask = now;
  return true;
}

bool QueueMove::Prove(Proof& proof, std::string text) {
  const uint64_t generation = proof.binding.generation;
  {
    MutexLock lock(&mu_);
    report_.proof = std::move(text);
    report_.status = absl::OkStatus();
  }
  Feed(move_event::Drained{generation});
  return true;
}

void QueueMove::AskProof(Proof& proof, absl::Time now) {
  proof.asking = true;
  const uint64_t received = ReceivedAt(proof.binding.place);
  Ask(proof.binding.place, driver::Request::Op::kUndrained, kAnswerTime,
      [this, generation = proof.binding.generation,
       received](const driver::Reply& reply) {
        OnProofAnswer(generation, reply, received);
      });
  proof.next_ask = now + kAskAgain;
}

void QueueMove::OnProofAnswer(uint64_t generation, const driver::Reply& reply,
                              uint64_t received) {
  const auto it = proofs_.find(generation);
  if (it == proofs_.end()) return;
  Proof& proof = it->second;
  const absl::Time now = clock_->Steady();
  proof.asking = false;
  proof.next_ask = now + kAskAgain;
  if (reply.status.code() == absl::StatusCode::kUnimplemented) {
    proof.no_answer_can_be_had = true;
    return;
  }
  if (!reply.status.ok()) {
    proof.confirmed = 0;
    proof.next_ask = now + kApart;
    proof.silent_since = std::min(proof.silent_since, now);
    SetStatus(reply.status);
    return;
  }
  proof.silent_since = absl::InfiniteFuture();
  const PlaceId place = proof.binding.place;
  const bool empty = (reply.count == 0 || Mutant(74)) && IsIdleAt(place) &&
                     received == ReceivedAt(place);
  if (!empty) {
    proof.confirmed = 0;
    return;
  }
  // What one broker of a kind can say another can't: it has answered.
  DrainProof kind = DrainProof::kCount;
  if (const auto asked = asked_at_.find(place); asked != asked_at_.end()) {
    const DrainProof known = asked->second->driver().capabilities().drain_proof;
    if (known != DrainProof::kQuietPeriod) kind = known;
  }
  const bool one_is_enough =
      kind == DrainProof::kExact || kind == DrainProof::kOffsets;
  if (++proof.confirmed < (one_is_enough ? 1 : 2)) {
    proof.next_ask = now + kApart;
    return;
  }
  proof.received = received;
  Confirm(proof, std::string(NameOf(kind)), now);
}

bool QueueMove::GivesUp(absl::Time silent_since, absl::Time now) const {
  MutexLock lock(&mu_);
  return (options_.when_dead == WhenDead::kProceed || Mutant(75)) &&
         now - options_.dead_after >= silent_since;
}

bool QueueMove::WorkProofs(absl::Time now) {
  absl::Duration quiet_period;
  {
    MutexLock lock(&mu_);
    quiet_period = options_.quiet_period;
  }
  const bool has_members = HasMembers();
  for (auto& [generation, proof] : proofs_) {
    const PlaceId place = proof.binding.place;
    if (GivesUp(proof.silent_since, now)) {
      using Decision = move_event::Word::Decision;
      proof.silent_since = absl::InfiniteFuture();
      Feed(move_event::Word{Decision::kProceed, generation});
      return true;
    }
    if (proof.asking) continue;
    if (now < proof.next_ask) {
      By(proof.next_ask);
      continue;
    }
    if (!has_members) {
      proof.leavers.reset();
      proof.found.clear();
    } else if (!proof.leavers.has_value() || !proof.found.empty()) {
      AskLeavers(proof);
      continue;
    }
    if (!proof.no_answer_can_be_had) {
      if (IsIdleAt(place)) {
        AskProof(proof, now);
      } else {
        proof.next_ask = now + kAskAgain;
        By(proof.next_ask);
      }
      continue;
    }
    const uint64_t received = ReceivedAt(place);
    if (received != proof.received || !IsIdleAt(place) || !IsOpenAt(place) ||
        proof.quiet_since == absl::InfiniteFuture()) {
      proof.received = received;
      proof.quiet_since = now;
    }
    if (now - proof.quiet_since >= quiet_period) {
      return Confirm(proof,
                     fmt::format("unproven: quiet for {}",
                                 absl::FormatDuration(quiet_period)),
                     now);
    }
    proof.next_ask = now + std::min(kAskAgain, quiet_period / 4);
    By(proof.next_ask);
  }
  return false;
}

}  // namespace tieline::inline v0
