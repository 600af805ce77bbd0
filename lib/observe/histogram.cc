#include <algorithm>
#include <bit>

#include "tieline/metrics.h"

namespace tieline::inline v0 {
namespace {

// Bucket 0 ends at 1 us; after it four buckets an octave.
constexpr int64_t kFirst = 1000;

}  // namespace

int Histogram::BucketOf(int64_t ns) {
  if (ns <= kFirst) return 0;
  const auto units = static_cast<uint64_t>((ns - 1) / (kFirst / 4));  // >= 4
  const int octave = std::bit_width(units) - 3;
  const auto quarter = static_cast<int>((units >> octave) & 3);
  return std::min(1 + octave * 4 + quarter, kBuckets - 1);
}

absl::Duration Histogram::UpperBound(int bucket) {
  if (bucket <= 0) return absl::Nanoseconds(kFirst);
  const int octave = (bucket - 1) / 4;
  const int quarter = (bucket - 1) % 4;
  const int64_t units = (int64_t{5} + quarter) << octave;
  return absl::Nanoseconds(units * (kFirst / 4));
}

void Histogram::Merge(const Histogram& other) {
  if (other.total == 0) return;
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  total += other.total;
}

absl::Duration Histogram::Quantile(double q) const {
  if (total == 0) return absl::ZeroDuration();
  const auto rank = static_cast<uint64_t>(q * static_cast<double>(total - 1));
  uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += counts[static_cast<size_t>(i)];
    if (seen > rank) return UpperBound(i);
  }
  return UpperBound(kBuckets - 1);
}

}  // namespace tieline::inline v0
