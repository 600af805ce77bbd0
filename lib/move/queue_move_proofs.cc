// How a QueueMove proves that a place is empty, or gives it up.
#include <algorithm>
#include <utility>

#include "lib/base/drain_proof.h"
#include "lib/base/mutant.h"
#include "lib/base/status.h"
#include "lib/move/queue_move.h"

namespace tieline::inline v0 {
namespace {

using move_task::kAnswerTime;
using move_task::kAskAgain;

// Between two counts that say the same, where one alone proves nothing.
constexpr absl::Duration kApart = absl::Milliseconds(200);

}  // namespace

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

bool QueueMove::GivesUp(uint64_t generation, absl::Time silent_since,
                        absl::Time now) const {
  const bool replayed = IsReplayed(generation);
  MutexLock lock(&mu_);
  return (options_.when_dead == WhenDead::kProceed || replayed || Mutant(75)) &&
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
    if (GivesUp(generation, proof.silent_since, now)) {
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
