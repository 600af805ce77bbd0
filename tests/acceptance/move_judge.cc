#include "tests/acceptance/move_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tieline::move_check {
namespace {

constexpr size_t kFaultsKept = 20;

void Sum(const Judge::Counts& one, Judge::Counts* all) {
  all->sent += one.sent;
  all->handled += one.handled;
  all->lost += one.lost;
  all->failed += one.failed;
  all->late += one.late;
  all->redelivered += one.redelivered;
  all->twice_by_kill += one.twice_by_kill;
  all->twice_marked += one.twice_marked;
  all->twice_in_doubt += one.twice_in_doubt;
  all->twice_unexplained += one.twice_unexplained;
  all->out_of_order += one.out_of_order;
  all->out_of_order_marked += one.out_of_order_marked;
  all->overlaps += one.overlaps;
  all->other_ids += one.other_ids;
}

void Keep(std::vector<std::string>* faults, std::string text) {
  if (faults->size() < kFaultsKept) faults->push_back(std::move(text));
}

}  // namespace

Judge::Message& Judge::At(uint64_t number) {
  if (number >= messages_.size()) messages_.resize(number * 2 + 10000);
  return messages_[number];
}

void Judge::Add(const Record& record) {
  switch (record.step) {
    case Step::kStarted:
      ++incarnation_;
      began_at_move_.resize(incarnation_ + 1, move_);
      std::fill(in_handler_.begin(), in_handler_.end(), 0);
      break;
    case Step::kApplied:
      move_ = record.number;
      applied_.insert(move_);
      break;
    case Step::kEnded:
      ended_.insert(record.number);
      break;
    case Step::kIntended:
      OnIntended(record);
      break;
    case Step::kAccepted:
      effects_.OnAccepted(record.number);
      At(record.number).in_doubt |= record.attempts > 1;
      break;
    case Step::kFailed:
      ++by_move_[move_].failed;
      Keep(&faults_, fmt::format("message {} was not accepted: state {}",
                                 record.number, record.flags));
      break;
    case Step::kHandling:
      OnHandling(record);
      break;
    case Step::kHandled:
      in_handler_[record.number % effects_.keys()] = 0;
      break;
    case Step::kSettled:
      At(record.number).settled = true;
      break;
  }
}

void Judge::OnIntended(const Record& record) {
  Message& message = At(record.number);
  if (message.sent_in == 0) ++by_move_[move_].sent;
  message.in_doubt |= message.sent_in != 0;
  message.at_move = static_cast<uint32_t>(move_);
  message.sent_in = incarnation_;
}

void Judge::OnHandling(const Record& record) {
  using Verdict = Effects::Verdict;
  const uint64_t number = record.number;
  Counts& counts = by_move_[move_];
  if ((record.flags & kLate) != 0) ++counts.late;
  if ((record.flags & kRedelivered) != 0) ++counts.redelivered;
  if ((record.flags & kOtherId) != 0) {
    ++counts.other_ids;
    Keep(&faults_, fmt::format("message {} came with another id", number));
  }
  uint64_t& in_handler = in_handler_[number % effects_.keys()];
  if (in_handler != 0) {
    ++counts.overlaps;
    Keep(
        &faults_,
        fmt::format("message {} while another of its key was handled", number));
  }
  in_handler = incarnation_;
  const bool is_marked = (record.flags & (kLate | kRedelivered)) != 0;
  const Verdict verdict = effects_.OnHandled(number, is_marked);
  Message& message = At(number);
  switch (verdict) {
    case Verdict::kFirst:
      break;
    case Verdict::kSecond: {
      const bool was_in_hand =
          message.handled_in != incarnation_ && !message.settled;
      seconds_.push_back({number, move_, record.ms,
                          was_in_hand ? incarnation_ : 0, is_marked});
      break;
    }
    case Verdict::kOutOfOrder:
      ++counts.out_of_order;
      Keep(&faults_,
           fmt::format("message {} after a later one of its key, unmarked, at "
                       "{} ms, incarnation {}, during move {}",
                       number, record.ms, incarnation_, move_));
      break;
    case Verdict::kOutOfOrderMarked:
    case Verdict::kBehindMarked:
      ++counts.out_of_order_marked;
      break;
  }
  if (verdict != Verdict::kSecond) ++counts.handled;
  message.handled_in = incarnation_;
  message.settled = false;
}

void Judge::Explain(const Second& second, Findings* findings) const {
  const Message& message = messages_[second.number];
  auto& by_move = findings->by_move;
  if (second.in_hand_before != 0) {
    ++by_move[began_at_move_[second.in_hand_before]].twice_by_kill;
  } else if (second.is_marked) {
    ++by_move[second.at_move].twice_marked;
  } else if (message.in_doubt) {
    ++by_move[message.at_move].twice_in_doubt;
  } else {
    ++by_move[second.at_move].twice_unexplained;
    Keep(&findings->first_faults,
         fmt::format("message {} once more at {} ms, during move {}: nothing "
                     "explains it",
                     second.number, second.ms, second.at_move));
  }
}

Judge::Findings Judge::End() const {
  Findings findings;
  findings.by_move = by_move_;
  findings.first_faults = faults_;
  findings.incarnations = incarnation_;
  for (const Second& second : seconds_) Explain(second, &findings);
  for (uint64_t i = 0; i < messages_.size(); ++i) {
    const Message& message = messages_[i];
    if (message.handled_in != 0 || !effects_.WasAccepted(i)) continue;
    ++findings.by_move[message.at_move].lost;
    Keep(&findings.first_faults,
         fmt::format("message {} is lost: sent by incarnation {} during move "
                     "{}",
                     i, message.sent_in, message.at_move));
  }
  std::set_difference(applied_.begin(), applied_.end(), ended_.begin(),
                      ended_.end(),
                      std::inserter(findings.unended, findings.unended.end()));
  for (const auto& [move, counts] : findings.by_move)
    Sum(counts, &findings.all);
  return findings;
}

bool Judge::Findings::IsWell(bool suppressed) const {
  const uint64_t faults = all.lost + all.failed + all.twice_unexplained +
                          all.out_of_order + all.overlaps + all.other_ids;
  const uint64_t slipped = all.twice_marked + all.twice_in_doubt;
  return faults == 0 && unended.empty() && !(suppressed && slipped > 0);
}

}  // namespace tieline::move_check
