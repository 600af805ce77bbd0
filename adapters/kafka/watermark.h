// Watermark: which records of one partition are settled, and up to where all
// of them are. Pure.
//
// Records are numbered densely from 0 in the order in which they were handed
// out; offsets grow, with holes (compaction, transaction markers).
#ifndef TIELINE_ADAPTERS_KAFKA_WATERMARK_H_
#define TIELINE_ADAPTERS_KAFKA_WATERMARK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tieline::inline v0 {
namespace kafka {

class Watermark {
 public:
  enum class Mark : uint8_t { kSettled, kAlready, kUnknown };

  // The number of the record at `offset`, above all before it.
  uint64_t Add(int64_t offset) {
    if (next_ - low_ == ring_.size()) Grow();
    ring_[next_ & mask_] = offset << 1;
    return next_++;
  }
  // Settles a number. kAlready: it was settled before; kUnknown: never handed
  // out.
  Mark Settle(uint64_t number) {
    if (number >= next_) return Mark::kUnknown;
    if (number < low_) return Mark::kAlready;
    int64_t& slot = ring_[number & mask_];
    if ((slot & 1) != 0) return Mark::kAlready;
    slot |= 1;
    if (number == low_) Advance();
    return Mark::kSettled;
  }
  // All numbers below are settled.
  uint64_t low() const { return low_; }
  // Numbers handed out.
  uint64_t next() const { return next_; }
  // Handed out above the oldest unsettled one, that one included.
  uint64_t gap() const { return next_ - low_; }
  // Calls `f(number)` for each settled number at or above `from`.
  template <typename F>
  void EachSettled(uint64_t from, F f) const {
    for (uint64_t n = from; n != next_; ++n) {
      if (n < low_ || (ring_[n & mask_] & 1) != 0) f(n);
    }
  }
  // The offset to commit: behind the last record below low(); -1 when nothing
  // was settled yet.
  int64_t position() const { return position_; }

 private:
  void Advance() {
    while (low_ != next_ && (ring_[low_ & mask_] & 1) != 0) {
      position_ = (ring_[low_ & mask_] >> 1) + 1;
      ++low_;
    }
  }
  void Grow();

  std::vector<int64_t> ring_;  // offset << 1 | settled, at number & mask
  uint64_t mask_ = 0;
  uint64_t low_ = 0;
  uint64_t next_ = 0;
  int64_t position_ = -1;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_WATERMARK_H_
