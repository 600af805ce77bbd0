#include "adapters/kafka/watermark.h"

#include <utility>

namespace tieline::inline v0 {
namespace kafka {

void Watermark::Grow() {
  constexpr size_t kFirst = 256;
  std::vector<int64_t> ring(ring_.empty() ? kFirst : ring_.size() * 2);
  const uint64_t mask = ring.size() - 1;
  for (uint64_t n = low_; n != next_; ++n) ring[n & mask] = ring_[n & mask_];
  ring_ = std::move(ring);
  mask_ = mask;
}

}  // namespace kafka
}  // namespace tieline::inline v0
