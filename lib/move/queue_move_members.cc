// What a QueueMove asks the other processes that use its queue, and what it
// answers to them.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/control/reply.h"
#include "lib/move/queue_move.h"

namespace tieline::inline v0 {
namespace {

constexpr absl::Duration kAskAgain = absl::Milliseconds(75);

bool IsSilent(const MemberAnswers& answers) {
  return std::any_of(answers.begin(), answers.end(),
                     [](const auto& answer) { return !answer.status.ok(); });
}

absl::Time SilentSince(absl::Time since, const MemberAnswers& answers,
                       absl::Time now) {
  return IsSilent(answers) ? std::min(since, now) : absl::InfiniteFuture();
}

}  // namespace

// ---- The answering side.

Standing QueueMove::StandingOf(uint64_t generation) {
  MutexLock lock(&mu_);
  const Standing standing = move_->StandingOf(generation);
  if (standing == Standing::kDraining) ++told_draining_;
  return standing;
}

// ---- The asking side.

bool QueueMove::HasMembers() const {
  MutexLock lock(&mu_);
  return !options_.members.empty();
}

void QueueMove::AskMembers(uint64_t generation,
                           std::function<void(const MemberAnswers&)> done) {
  Members::Question question;
  question.queue = name_;
  question.generation = generation;
  {
    MutexLock lock(&mu_);
    question.sockets = options_.members;
  }
  if (question.sockets.empty()) return done({});
  question.done = [this, self = shared_from_this(), generation,
                   asked = question.sockets,
                   done = std::move(done)](MemberAnswers answers) {
    if (Mutant(101)) {
      std::erase_if(answers,
                    [](const auto& each) { return !each.status.ok(); });
    }
    Post([this, generation, asked, done, answers = std::move(answers)] {
      bool holds = false;
      {
        MutexLock lock(&mu_);
        holds = asked == options_.members;
      }
      holds ? done(answers) : AskMembers(generation, done);
    });
  };
  host_->members().Ask(std::move(question));
}

void QueueMove::NoteMembers(const MemberAnswers& answers,
                            const MemberAnswer* holder) {
  for (const MemberAnswer& answer : answers) {
    if (answer.status.ok()) {
      silent_.erase(answer.socket);
      continue;
    }
    if (!silent_.insert(answer.socket).second) continue;
    const std::string entry =
        control::ToLine({{"queue", name_},
                         {"step", "member does not answer"},
                         {"member", answer.socket},
                         {"status", std::string(MessageOf(answer.status))}});
    host_->store().Journal("move", entry);
    host_->Log(LogLevel::kWarning, fmt::format("move: {}", entry));
  }
  if (holder != nullptr) {
    waits_for_member_ = true;
    SetStatus(holder->status.ok()
                  ? MakeStatus(absl::StatusCode::kUnavailable,
                               "member {} may still send to the old broker",
                               holder->socket)
                  : MakeStatus(absl::StatusCode::kUnavailable,
                               "member {} does not answer: {}", holder->socket,
                               MessageOf(holder->status)));
  } else if (std::exchange(waits_for_member_, false)) {
    SetStatus(absl::OkStatus());
  }
}

// ---- Proofs.

void QueueMove::AskLeavers(Proof& proof) {
  proof.asking = true;
  const uint64_t generation = proof.binding.generation;
  AskMembers(generation, [this, generation](const MemberAnswers& answers) {
    const auto it = proofs_.find(generation);
    if (it != proofs_.end()) OnLeavers(it->second, answers);
  });
}

void QueueMove::OnLeavers(Proof& proof, const MemberAnswers& answers) {
  const absl::Time now = clock_->Steady();
  const MemberAnswer* holder = FindHolder(answers);
  NoteMembers(answers, holder);
  proof.silent_since = SilentSince(proof.silent_since, answers, now);
  proof.asking = false;
  const std::string found = std::exchange(proof.found, "");
  const PlaceId place = proof.binding.place;
  if (!found.empty() && holder == nullptr && proof.leavers.has_value() &&
      AreSameRuns(*proof.leavers, answers) && IsIdleAt(place) &&
      proof.received == ReceivedAt(place)) {
    Prove(proof, HasMembers()
                     ? fmt::format("{}, {} member{}", found, answers.size(),
                                   answers.size() == 1 ? "" : "s")
                     : found);
    return;
  }
  // From the beginning: the broker, and what was quiet.
  proof.confirmed = 0;
  proof.quiet_since = absl::InfiniteFuture();
  proof.leavers.reset();
  if (holder == nullptr) proof.leavers = answers;
  proof.next_ask = holder == nullptr ? now : now + kAskAgain;
}

void QueueMove::AskRetired(Waiting& waiting) {
  waiting.asking = true;
  const uint64_t generation = waiting.binding.generation;
  AskMembers(generation, [this, generation,
                          until = waiting.until](const MemberAnswers& answers) {
    const auto it = retiring_.find(generation);
    // The time may have begun again.
    if (it == retiring_.end() || it->second.until != until) return;
    const MemberAnswer* holder = FindHolder(answers);
    NoteMembers(answers, holder);
    it->second.asking = false;
    it->second.left = holder == nullptr;
    it->second.next_ask = clock_->Steady() + kAskAgain;
  });
}

// ---- What others have proved.

bool QueueMove::WorkAsks(absl::Time now) {
  const bool has_members = HasMembers();
  for (auto& [generation, ask] : asks_) {
    if (!has_members) {
      OnAsked(ask, {});
      return true;
    }
    if (GivesUp(generation, ask.silent_since, now)) {
      using Decision = move_event::Word::Decision;
      ask.silent_since = absl::InfiniteFuture();
      Feed(move_event::Word{Decision::kProceed, generation});
      return true;
    }
    if (ask.asking) continue;
    if (now < ask.next_ask) {
      By(ask.next_ask);
      continue;
    }
    ask.asking = true;
    {
      MutexLock lock(&mu_);
      ask.told = told_draining_;
    }
    AskMembers(generation,
               [this, asked = generation](const MemberAnswers& answers) {
                 const auto it = asks_.find(asked);
                 if (it != asks_.end()) OnAsked(it->second, answers);
               });
  }
  return false;
}

void QueueMove::OnAsked(Asking& ask, const MemberAnswers& answers) {
  const absl::Time now = clock_->Steady();
  const uint64_t generation = ask.binding.generation;
  DrainStage own = DrainStage::kProved;
  {
    MutexLock lock(&mu_);
    const Undrained* undrained = move_->record().FindUndrained(generation);
    if (undrained == nullptr) return;
    if (undrained->stage == DrainStage::kAsking) own = DrainStage::kAsking;
  }
  const bool is_first = ask.last.empty();
  const MembersSay said = JudgeAnswers(own, ask.last, answers);
  ask.asking = false;
  ask.last = answers;
  ask.silent_since = SilentSince(ask.silent_since, answers, now);
  ask.next_ask = is_first && !IsSilent(answers) ? now : now + kAskAgain;
  const bool is_held = said == MembersSay::kNothing && IsSilent(answers);
  NoteMembers(answers, is_held ? FindHolder(answers) : nullptr);
  if (said == MembersSay::kUndrained) {
    Feed(move_event::MembersUndrained{generation});
  } else if (said == MembersSay::kDrained) {
    FeedDrained(generation, ask.told);
  }
}

bool QueueMove::FeedDrained(uint64_t generation, uint64_t told) {
  MoveActions actions;
  {
    MutexLock lock(&mu_);
    const Undrained* undrained = move_->record().FindUndrained(generation);
    // A member that has started anew asks, and reads where this one does: what
    // it said before does not count.
    if (undrained != nullptr && undrained->stage == DrainStage::kAsking &&
        told != told_draining_) {
      return false;
    }
    actions = move_->Apply(move_event::MembersDrained{generation});
  }
  Follow(actions);
  return true;
}

}  // namespace tieline::inline v0
