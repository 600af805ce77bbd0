#include "tests/sim/ledger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tieline::sim {
namespace {

constexpr size_t kDigits = 6;
constexpr size_t kMostViolations = 8;
// What has left the spool is gone from the disk, which may be full for a while.
constexpr absl::Duration kTrimmedBy = absl::Seconds(10);

bool WasGivenUp(const Life& life) {
  return life.forgotten ||
         (life.has_result && life.result != SendState::kAccepted &&
          life.result != SendState::kSpooled);
}

}  // namespace

void Ledger::Violate(int invariant, int message, std::string text, int other) {
  if (violations_.size() >= kMostViolations) return;
  Note(absl::StrCat("VIOLATION of ", invariant, ": ", text));
  violations_.push_back({invariant, message, std::move(text), other});
}

void Ledger::Add(int number, What what, int place, uint32_t detail) {
  trace_.Add(timeline_->now(), number, what, place, detail);
}

// ---- The application's side.

int Ledger::NewMessage(Life life) {
  lives_.push_back(std::move(life));
  return static_cast<int>(lives_.size()) - 1;
}

std::string Ledger::BodyOf(int number, int size) {
  std::string body = absl::StrFormat("%06d", number);
  for (int i = 0; i < size; ++i) {
    body += static_cast<char>('a' + (number + i) % 26);
  }
  return body;
}

int Ledger::NumberOf(const Message& message) {
  const std::string_view body = message.body_view();
  int number = -1;
  if (body.size() < kDigits ||
      !absl::SimpleAtoi(absl::string_view(body.data(), kDigits), &number)) {
    return -1;
  }
  return number;
}

void Ledger::OnGiven(int number, absl::Time deadline) {
  life(number).deadline = deadline;
  Add(number, What::kGiven, 0);
}

void Ledger::OnResult(const SendResult& result) {
  const int number = NumberOf(result.message);
  if (!Known(number)) {
    Violate(0, -1, "a result without its message");
    return;
  }
  Life& l = life(number);
  Add(number, What::kResult, 0, static_cast<uint32_t>(result.state));
  if (l.has_result) Violate(0, number, "a message has two results");
  l.has_result = true;
  l.result = result.state;
  l.result_at = timeline_->now();
  if (result.message.body_view() != l.body) {
    Violate(1, number, "a result's message has another body");
  }
  if (result.id().empty() || (!l.id.empty() && result.id() != l.id)) {
    Violate(1, number, "a result has another id, or none");
  }
  if (result.state == SendState::kAccepted && l.stored == 0) {
    Violate(1, number, "reported as accepted, and no broker took it");
  }
  if (result.ok() != result.status.ok()) {
    Violate(0, number, "a result's state and status contradict each other");
  }
  if (result.state == SendState::kRejected && l.rejections == 0) {
    Violate(1, number, "reported as rejected, and no broker refused it");
  }
  const bool surely_not_there = result.state == SendState::kNotSent;
  if (surely_not_there && l.stored > 0) {
    Violate(1, number, "reported as not sent, and a broker has taken it");
  }
}

void Ledger::OnForgotten(int number) {
  life(number).forgotten = true;
  Add(number, What::kForgotten, 0);
}

// ---- The operator's side.

void Ledger::OnKilled() {
  ++kills_;
  if (retains_) ++replays_;
  if (!spools_) return;
  for (Life& l : lives_) {
    // Also one that was accepted while it was written: its trim may be lost.
    const bool is_late = timeline_->now() - l.result_at < kTrimmedBy;
    if (l.forgotten ||
        (l.has_result && (is_late || l.result == SendState::kSpooled))) {
      ++l.rereads;
    }
  }
}

void Ledger::OnForgottenProcess() {
  drained_.clear();
  for (Life& l : lives_) {
    if (l.has_result && l.result == SendState::kSpooled) l.spool_lost = true;
  }
}

void Ledger::OnMoved(int process, uint64_t generation) {
  submitted_[process] = std::max(submitted_[process], generation);
  if (const auto at = bound_.find(generation); at != bound_.end()) {
    drained_.erase(at->second);
  }
}

void Ledger::OnDrained(uint64_t generation) {
  const auto at = bound_.find(generation);
  if (at == bound_.end()) return;
  // Where the queue comes back to, newer ones come as well.
  if (at->second != bound_.rbegin()->second) drained_.insert(at->second);
}

// ---- The drivers' side.

void Ledger::OnSubmitted(const Message& message, int place, int process) {
  const int number = NumberOf(message);
  if (!Known(number)) {
    Violate(0, -1, "a message was submitted that nobody gave");
    return;
  }
  Life& l = life(number);
  Add(number, What::kSubmitted, place);
  if (l.id.empty()) {
    l.id = std::string(message.id());
    if (!ids_.insert(l.id).second) {
      Violate(2, number, "two messages have one id");
    }
  }
  CheckCopy(message, number);
  CheckStamp(message, number, place, process);
}

uint64_t Ledger::StampOf(const Message& message) {
  const Value* stamp = message.properties().Find("tieline-generation");
  return stamp == nullptr ? 1 : stamp->AsUInt64().value_or(0);
}

void Ledger::CheckStamp(const Message& message, int number, int place,
                        int process) {
  const bool moves = std::any_of(bound_.begin(), bound_.end(),
                                 [&](auto& b) { return b.second == place; });
  if (!moves || process < 0) return;  // the sink, or a dead-lettered copy
  const uint64_t stamp = StampOf(message);
  // What a broker had accepted keeps the stamp it had when it is sent again.
  if (retains_ && life(number).stored > 0) return;
  const auto bound = bound_.find(stamp);
  if (bound == bound_.end() || bound->second != place) {
    Violate(4, number, "submitted to a broker that its generation is not at");
  }
  uint64_t& latest = submitted_[process];
  if (stamp < latest) {
    Violate(4, number, "submitted to a broker that was left");
  }
  latest = std::max(latest, stamp);
  // What a move takes along is sent there once, whatever the budget says.
  Life& l = life(number);
  if (std::exchange(l.stamp, stamp) != stamp) {
    l.submissions = std::min(l.submissions, 1);
  }
  ++l.submissions;
  // What is read from a spool is sent anew.
  if (!spools_ && !retains_) CheckBudget(number);
}

// The first re-send is free; what is earned and not kept is left out, so that
// this is the most that there can be.
void Ledger::CheckBudget(int number) {
  const Life& l = life(number);
  Sending& sending = sendings_[l.producer];
  if (l.submissions == 1) ++sending.first;
  if (l.submissions <= 2) return;
  const double seconds = absl::ToDoubleSeconds(timeline_->since_start());
  const double most = budget_.reserve * static_cast<double>(sending.senders) +
                      budget_.ratio * sending.first +
                      budget_.per_second * seconds + 1;
  if (++sending.budgeted > most) {
    Violate(10, number, "more is sent again than the budget allows");
  }
}

void Ledger::CheckCopy(const Message& message, int number) {
  const Life& l = life(number);
  if (message.id() != l.id) {
    Violate(1, number, "a message changed its id");
  }
  if (message.body_view() != l.body) {
    Violate(1, number, "a message changed its body");
  }
  const std::string key = l.key < 0 ? "" : absl::StrCat("k", l.key);
  if (message.key() != key) {
    Violate(1, number, "a message changed its key");
  }
}

void Ledger::OnOutcome(int number, driver::Fate fate, int place) {
  Add(number, What::kOutcome, place, static_cast<uint32_t>(fate));
  if (!Known(number)) return;
  if (fate != driver::Fate::kUnknown) return;
  ++life(number).doubts;
  const bool is_sink = std::none_of(bound_.begin(), bound_.end(),
                                    [&](auto& b) { return b.second == place; });
  if (is_sink) ++life(number).sink_doubts;
}

void Ledger::OnDelivered(int number, int place, bool again) {
  Add(number, What::kDelivered, place, again ? 1 : 0);
  if (!Known(number)) return;
  Life& l = life(number);
  if (again) ++l.redeliveries;
  ++(drained_.contains(place) ? l.too_late : l.in_time);
}

// ---- The brokers' side.

void Ledger::OnStored(const Message& message, int number, int place) {
  Add(number, What::kStored, place);
  if (!Known(number)) return;
  Life& l = life(number);
  ++l.stored;
  if (may_be_late_from_.contains(place)) l.may_be_late = true;
  CheckCopy(message, number);
  if (l.has_result && l.result == SendState::kNotSent) {
    Violate(1, number, "reported as not sent, and a broker takes it later");
  }
}

void Ledger::OnRejected(int number, int place) {
  Add(number, What::kRefused, place);
  if (Known(number)) ++life(number).rejections;
}

void Ledger::OnCompleted(int number, int place) {
  Add(number, What::kCompleted, place);
  if (!Known(number)) return;
  Life& l = life(number);
  ++l.completed;
  if (l.effects == 0 && l.dead == 0) {
    Violate(8, number, "completed before the destination accepted it");
  }
}

void Ledger::OnEffect(const Message& message, int place) {
  const int number = NumberOf(message);
  Add(number, What::kEffect, place);
  if (!Known(number)) {
    Violate(1, -1, "a message takes effect that nobody gave");
    return;
  }
  Life& l = life(number);
  CheckCopy(message, number);
  if (message.properties().Find("tieline-generation") != nullptr) {
    Violate(3, number, "the stamp of another queue's generation is left");
  }
  const bool is_late = message.properties().Find("tieline-late") != nullptr;
  if (is_late) CheckLate(message, number);
  if (!is_late && l.too_late > 0 && l.in_time == 0) {
    Violate(3, number, "came when its place was drained, and is not marked");
  }
  if (++l.effects == 1) {
    if (!is_late) CheckOrder(number);
  } else if (l.effects > 1 + l.doubts + l.redeliveries + l.rereads + replays_) {
    Violate(2, number, "a second effect that nothing explains");
  }
  // What was in hand at a kill is handled again; nothing else is.
  if (std::exchange(l.kills, kills_) != kills_ && l.effects > 1) {
    ++l.kill_effects;
  }
  if (suppresses_ && l.effects > 1 + l.sink_doubts + l.kill_effects) {
    Violate(2, number, "a second effect, and second copies are suppressed");
  }
}

void Ledger::CheckLate(const Message& message, int number) {
  if (bound_.upper_bound(StampOf(message)) == bound_.end()) {
    Violate(3, number, "marked as late, and its queue has not moved on");
  }
  // After a real proof only what nobody knew of comes, or what somebody sends
  // who is behind.
  const Life& l = life(number);
  if (behind_) return;
  if (!l.may_be_late && !l.forgotten && l.doubts + l.redeliveries == 0) {
    Violate(3, number, "marked as late without a reason");
  }
}

void Ledger::CheckOrder(int number) {
  const Life& l = life(number);
  if (!l.ordered || l.key < 0 || behind_) return;
  const auto [latest, is_first] =
      in_effect_.try_emplace({l.producer, l.key}, number);
  if (is_first) return;
  if (life(latest->second).sequence < l.sequence) {
    latest->second = number;
    return;
  }
  // What the application was told it has not, or what a broker lost, expired or
  // refused once, may come late: the others of its key went on without it.
  if (WasGivenUp(l) || l.lost + l.expired + l.dead + l.rejections > 0) return;
  Violate(3, number, "takes effect after a later one of its key",
          latest->second);
}

void Ledger::OnDeadLetter(const Message& message, int place) {
  const int number = NumberOf(message);
  Add(number, What::kDeadLetter, place);
  if (Known(number)) ++life(number).dead;
}

}  // namespace tieline::sim
