#include "tests/sim/handles.h"

#include <algorithm>

#include "tests/sim/process.h"

namespace tieline::sim {

using driver::Fate;
using driver::LaneState;
using driver::Outcome;

// ---- SimSender.

size_t SimSender::Submit(std::span<const driver::Outbound> batch, bool atomic) {
  Ledger& ledger = connection_->ledger();
  if (closing_ || closed_) {
    ledger.Violate(0, -1, "a message was submitted to a closed sender");
  }
  if (!open_ || closed_ || atomic) return 0;
  const size_t credit = connection_->broker().traits().link_credit;
  const size_t room = credit - std::min(credit, unanswered_.size());
  const size_t taken = std::min(batch.size(), room);
  blocked_ = taken < batch.size();
  SentMessages messages;
  messages.reserve(taken);
  for (const driver::Outbound& one : batch.first(taken)) {
    const int number = Ledger::NumberOf(*one.message);
    if (!unanswered_.emplace(one.cookie, number).second) {
      ledger.Violate(0, number, "a cookie was submitted twice");
    }
    ledger.OnSubmitted(*one.message, connection_->broker().traits().place,
                       dead_letters_ ? -1 : connection_->process().number());
    messages.push_back({one.cookie, *one.message, number});
  }
  if (taken == 0) return 0;
  Session& session = connection_->session();
  session.Up([s = &session, id = id_, messages = std::move(messages)] {
    s->broker->Submit(*s, id, messages);
  });
  return taken;
}

void SimSender::Close() {
  closing_ = true;
  Session& session = connection_->session();
  session.Up([s = &session, id = id_] { s->broker->CloseLink(*s, id); });
}

SimSender::~SimSender() {
  connection_->Forget(id_);
  GiveUp();
}

std::vector<Outcome> SimSender::GiveUp() {
  std::vector<Outcome> outcomes;
  for (const auto& [cookie, number] : unanswered_) {
    Outcome outcome;
    outcome.cookie = cookie;
    outcome.why = absl::UnavailableError("the connection was lost");
    connection_->ledger().OnOutcome(number, Fate::kUnknown,
                                    connection_->broker().traits().place);
    outcomes.push_back(std::move(outcome));
  }
  unanswered_.clear();
  return outcomes;
}

void SimSender::Lose() {
  const std::vector<Outcome> outcomes = GiveUp();
  if (!outcomes.empty()) sink_->OnOutcomes(outcomes);
}

void SimSender::BeOpened(const Capabilities& capabilities) {
  if (closed_) return;
  open_ = true;
  sink_->OnOpened(capabilities);
}

void SimSender::BeAnswered(const std::vector<Outcome>& outcomes) {
  std::vector<Outcome> fresh;
  for (const Outcome& outcome : outcomes) {
    const auto it = unanswered_.find(outcome.cookie);
    if (it == unanswered_.end()) continue;  // it was given up with the link
    connection_->ledger().OnOutcome(it->second, outcome.fate,
                                    connection_->broker().traits().place);
    unanswered_.erase(it);
    fresh.push_back(outcome);
  }
  if (unanswered_.empty()) {
    auto& links = connection_->session().links;
    const auto link = links.find(id_);
    if (link != links.end()) link->second.refusing = false;
  }
  if (fresh.empty()) return;
  sink_->OnOutcomes(fresh);
  if (std::exchange(blocked_, false)) sink_->OnSendable();
}

void SimSender::BeClosed(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  Lose();
  sink_->OnClosed(closing_ ? absl::OkStatus() : why);
}

// ---- SimReceiver.

SimReceiver::Key SimReceiver::KeyOf(const driver::Token& token) {
  return {uint64_t{static_cast<uint32_t>(token.lane)} << 32 | token.epoch,
          token.id};
}

void SimReceiver::Grant(driver::Lane, uint32_t messages, uint64_t bytes) {
  if (closed_) {
    connection_->ledger().Violate(0, -1, "a closed receiver was given credit");
  }
  Session& session = connection_->session();
  session.Up([s = &session, id = id_, messages, bytes] {
    s->broker->Grant(*s, id, messages, bytes);
  });
}

void SimReceiver::Drain() {
  Session& session = connection_->session();
  session.Up([s = &session, id = id_] { s->broker->Drain(*s, id); });
}

void SimReceiver::Settle(std::span<const driver::Settlement> settlements) {
  Ledger& ledger = connection_->ledger();
  const int place = connection_->broker().traits().place;
  std::vector<driver::Settlement> list(settlements.begin(), settlements.end());
  for (driver::Settlement& s : list) {
    // The texts are the core's.
    s.reason = s.detail = {};
    s.amend = nullptr;
    const auto it = in_hand_.find(KeyOf(s.token));
    const int number = it == in_hand_.end() ? -1 : it->second;
    ledger.Add(number, What::kSettled, place, static_cast<uint32_t>(s.verb));
    const auto lane = epochs_.find(static_cast<uint32_t>(s.token.lane));
    const bool lane_went =
        connection_->broker().traits().is_log &&
        (lane == epochs_.end() || lane->second != s.token.epoch);
    if (it == in_hand_.end()) {
      if (!lane_went) {
        ledger.Violate(0, -1, "what is not in hand was settled");
      }
    } else if (s.verb != driver::Verb::kRenew) {
      in_hand_.erase(it);
    }
    unanswered_[KeyOf(s.token)] = s;
  }
  Session& session = connection_->session();
  session.Up([s = &session, id = id_, list = std::move(list)] {
    s->broker->Settle(*s, id, list);
  });
}

void SimReceiver::DropLane(driver::Lane lane, uint32_t epoch) {
  const auto it = epochs_.find(static_cast<uint32_t>(lane));
  if (it == epochs_.end() || it->second != epoch) {
    connection_->ledger().Violate(0, -1, "a lane was dropped that is not open");
  }
  Session& session = connection_->session();
  session.Up([s = &session, id = id_, lane, epoch] {
    s->broker->DropLane(*s, id, lane, epoch);
  });
}

void SimReceiver::Close() {
  closing_ = true;
  Session& session = connection_->session();
  session.Up([s = &session, id = id_] { s->broker->CloseLink(*s, id); });
}

void SimReceiver::Lose() {
  std::vector<driver::Settled> settled;
  for (const auto& [key, settlement] : unanswered_) {
    driver::Settled one;
    one.token = settlement.token;
    one.verb = settlement.verb;
    one.status = absl::UnavailableError("the connection was lost");
    settled.push_back(std::move(one));
  }
  unanswered_.clear();
  in_hand_.clear();
  if (!settled.empty()) sink_->OnSettled(settled);
}

void SimReceiver::BeOpened(const Capabilities& capabilities) {
  if (closed_) return;
  open_ = true;
  sink_->OnOpened(capabilities);
}

void SimReceiver::BeGiven(std::vector<driver::Inbound> deliveries) {
  if (closed_) return;
  // Of a lane that went meanwhile, or is about to.
  std::erase_if(deliveries, [&](const driver::Inbound& d) {
    const auto it = epochs_.find(static_cast<uint32_t>(d.token.lane));
    return connection_->broker().traits().is_log &&
           (it == epochs_.end() || it->second != d.token.epoch);
  });
  for (const driver::Inbound& d : deliveries) {
    in_hand_[KeyOf(d.token)] = Ledger::NumberOf(d.message);
  }
  if (!deliveries.empty()) sink_->OnDeliveries(deliveries);
}

void SimReceiver::BeSettled(const std::vector<driver::Settled>& settled) {
  std::vector<driver::Settled> fresh;
  for (const driver::Settled& one : settled) {
    if (unanswered_.erase(KeyOf(one.token)) != 0) fresh.push_back(one);
  }
  if (!fresh.empty()) sink_->OnSettled(fresh);
}

void SimReceiver::BeTold(const driver::LaneEvent& event) {
  if (closed_) return;
  const auto lane = static_cast<uint32_t>(event.lane);
  if (event.state == LaneState::kOpened) epochs_[lane] = event.epoch;
  if (event.state == LaneState::kClosed) {
    epochs_.erase(lane);
    const uint64_t first = uint64_t{lane} << 32 | event.epoch;
    std::erase_if(in_hand_, [&](const auto& entry) {
      return entry.first.first == first;
    });
  }
  sink_->OnLane(event);
}

void SimReceiver::BeDrained() {
  if (!closed_) sink_->OnDrained();
}

void SimReceiver::BeClosed(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  Lose();
  sink_->OnClosed(closing_ ? absl::OkStatus() : why);
}

}  // namespace tieline::sim
