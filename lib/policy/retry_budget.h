// RetryBudget: how many re-sends there may be for what is sent the first time.
// Pure: time comes in.
#ifndef TIELINE_LIB_POLICY_RETRY_BUDGET_H_
#define TIELINE_LIB_POLICY_RETRY_BUDGET_H_

#include <algorithm>

#include "absl/time/time.h"
#include "lib/base/mutant.h"

namespace tieline::inline v0 {

class RetryBudget {
 public:
  // See RetryBudgetOptions.
  RetryBudget(double ratio, double reserve, double per_second)
      : ratio_(ratio),
        // Room for one: else nothing that is earned could be kept.
        reserve_(std::max(reserve, 1.0)),
        per_second_(per_second),
        tokens_(reserve) {}

  void OnFirstSends(size_t n) {
    tokens_ = std::min(reserve_, tokens_ + ratio_ * static_cast<double>(n));
  }
  // Takes one re-send; false when there is none left.
  bool Take(absl::Time now) {
    Refill(now);
    if (tokens_ < 1) return false;
    if (!Mutant(34)) tokens_ -= 1;
    return true;
  }
  // When Take may next succeed. Never zero when it has just failed: a sum that
  // rounding leaves a little short of one would be waited for no longer, and
  // so for ever.
  absl::Duration Wait() const {
    if (tokens_ >= 1) return absl::ZeroDuration();
    if (per_second_ <= 0) return absl::Seconds(1);
    return std::max(absl::Seconds((1 - tokens_) / per_second_), kLeastWait);
  }

 private:
  static constexpr absl::Duration kLeastWait = absl::Microseconds(10);

  void Refill(absl::Time now) {
    if (now > last_ && last_ != absl::InfinitePast() && !Mutant(33)) {
      tokens_ = std::min(
          reserve_, tokens_ + per_second_ * absl::ToDoubleSeconds(now - last_));
    }
    last_ = std::max(last_, now);
  }

  double ratio_;
  double reserve_;
  double per_second_;
  double tokens_;
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_RETRY_BUDGET_H_
