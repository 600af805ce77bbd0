#include "tests/acceptance/move_effects.h"

#include <algorithm>

namespace tieline::move_check {
namespace {

constexpr uint8_t kAccepted = 1;
constexpr uint8_t kHandled = 2;

}  // namespace

uint8_t& Effects::At(uint64_t number) {
  if (number >= seen_.size()) seen_.resize(number + number / 2 + 10000);
  return seen_[number];
}

void Effects::OnAccepted(uint64_t number) {
  const std::lock_guard lock(mu_);
  uint8_t& seen = At(number);
  if ((seen & kAccepted) != 0) return;
  seen |= kAccepted;
  ++counts_.accepted;
  if ((seen & kHandled) == 0) ++counts_.lost;
}

Effects::Verdict Effects::OnHandled(uint64_t number, bool is_marked) {
  const std::lock_guard lock(mu_);
  uint8_t& seen = At(number);
  if ((seen & kHandled) != 0) {
    ++counts_.twice;
    return Verdict::kSecond;
  }
  seen |= kHandled;
  ++counts_.handled;
  if ((seen & kAccepted) != 0) --counts_.lost;
  const Verdict verdict = Judge(number, is_marked);
  if (verdict == Verdict::kOutOfOrder) ++counts_.out_of_order;
  if (verdict == Verdict::kOutOfOrderMarked ||
      verdict == Verdict::kBehindMarked) {
    ++counts_.out_of_order_marked;
  }
  return verdict;
}

Effects::Verdict Effects::Judge(uint64_t number, bool is_marked) {
  Last& last = last_[number % last_.size()];
  const bool behind_unmarked = number < last.unmarked;
  const bool behind_marked = number < last.marked;
  uint64_t& own = is_marked ? last.marked : last.unmarked;
  own = std::max(own, number + 1);
  if (!behind_unmarked && !behind_marked) return Verdict::kFirst;
  if (is_marked) return Verdict::kOutOfOrderMarked;
  return behind_unmarked ? Verdict::kOutOfOrder : Verdict::kBehindMarked;
}

bool Effects::WasAccepted(uint64_t number) const {
  const std::lock_guard lock(mu_);
  return number < seen_.size() && (seen_[number] & kAccepted) != 0;
}

Effects::Counts Effects::counts() const {
  const std::lock_guard lock(mu_);
  return counts_;
}

}  // namespace tieline::move_check
