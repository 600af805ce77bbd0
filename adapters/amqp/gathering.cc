#include "adapters/amqp/gathering.h"

#include <algorithm>
#include <utility>

namespace tieline::inline v0::amqp {
namespace {

// Below this share of its rate, a stream has become slower.
constexpr double kSlower = 0.5;

// For how long `on_the_way` lasts, where `arrived` came in `span` (Little's
// law).
absl::Duration Lasts(uint64_t on_the_way, uint64_t arrived,
                     absl::Duration span) {
  if (arrived == 0) return absl::InfiniteDuration();
  return span *
         (static_cast<double>(on_the_way) / static_cast<double>(arrived));
}

}  // namespace

double Gathering::Rate(absl::Time now) const {
  return static_cast<double>(deliveries_ + outcomes_) /
         absl::ToDoubleSeconds(now - since_);
}

bool Gathering::IsWorthwhile(absl::Time now) const {
  // A span that took longer was not busy all the time.
  return now >= not_before_ && now - since_ < 2 * kSpan &&
         (deliveries_ >= kManyDeliveries || outcomes_ >= kManyOutcomes) &&
         reads_ >= kManyReads && bytes_ / reads_ < kSmallRead;
}

absl::Duration Gathering::HarmlessWait(absl::Time now,
                                       const OnTheWay& on_the_way) const {
  const absl::Duration span = now - since_;
  const absl::Duration lasts =
      std::min(Lasts(on_the_way.deliveries, deliveries_, span),
               Lasts(on_the_way.outcomes, outcomes_, span));
  return std::min(kWait, lasts / kLasts);
}

void Gathering::OnRead(absl::Time now, size_t bytes) {
  if (bytes > 0) {
    ++reads_;
    bytes_ += bytes;
    if (std::exchange(dry_, false)) since_ += now - dry_since_;
    read_at_ = now + wait_;
  } else if (on_ && !dry_ && now >= read_at_) {
    dry_ = true;
    dry_since_ = now;
  }
}

void Gathering::Judge(absl::Time now,
                      absl::FunctionRef<OnTheWay()> on_the_way) {
  if (on_ && Rate(now) < rate_before_ * kSlower) {
    on_ = false;
    not_before_ = now + pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
  } else if (on_ || IsWorthwhile(now)) {
    if (on_) {
      pause_ = kPause;
    } else {
      rate_before_ = Rate(now);
    }
    wait_ = HarmlessWait(now, on_the_way());
    on_ = wait_ >= kShortestWait;
  }
  since_ = now;
  reads_ = bytes_ = deliveries_ = outcomes_ = 0;
}

void Gathering::Forbid() {
  forbidden_ = true;
  on_ = false;
}

}  // namespace tieline::inline v0::amqp
