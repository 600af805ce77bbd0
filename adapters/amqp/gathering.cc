#include "adapters/amqp/gathering.h"

#include <algorithm>
#include <utility>

namespace tieline::inline v0::amqp {
namespace {

// Below this share of its rate, a stream has become slower.
constexpr double kSlower = 0.5;

// Whether `on_the_way` lasts long enough, where `arrived` came in `span`
// (Little's law).
bool Lasts(uint64_t on_the_way, uint64_t arrived, absl::Duration span) {
  return arrived == 0 ||
         static_cast<double>(on_the_way) * (span / (1.0 * arrived)) >=
             Gathering::kLasts * Gathering::kWait;
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

bool Gathering::IsHarmless(absl::Time now, const OnTheWay& on_the_way) const {
  const absl::Duration span = now - since_;
  return Lasts(on_the_way.deliveries, deliveries_, span) &&
         Lasts(on_the_way.outcomes, outcomes_, span);
}

void Gathering::OnRead(absl::Time now, size_t bytes) {
  if (bytes > 0) {
    ++reads_;
    bytes_ += bytes;
    if (std::exchange(dry_, false)) since_ += now - dry_since_;
    read_at_ = now + kWait;
  } else if (on_ && !dry_ && now >= read_at_) {
    dry_ = true;
    dry_since_ = now;
  }
}

void Gathering::Judge(absl::Time now, const OnTheWay& on_the_way) {
  if (!on_) {
    on_ = IsWorthwhile(now) && IsHarmless(now, on_the_way);
    if (on_) rate_before_ = Rate(now);
  } else if (Rate(now) < rate_before_ * kSlower) {
    on_ = false;
    not_before_ = now + pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
  } else {
    on_ = IsHarmless(now, on_the_way);
    pause_ = kPause;
  }
  since_ = now;
  reads_ = bytes_ = deliveries_ = outcomes_ = 0;
}

void Gathering::Forbid() {
  forbidden_ = true;
  on_ = false;
}

}  // namespace tieline::inline v0::amqp
