// Output: bytes on their way to the peer, small ones in buffers and large
// bodies as slices that are never copied.
//
// Threads: one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_OUTPUT_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_OUTPUT_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "adapters/amqp/wire/writer.h"
#include "tieline/bytes.h"

namespace tieline::inline v0::amqp::wire {

class Output {
 public:
  // Where the next bytes are appended. Valid until the next call of any other
  // function here; a frame is begun and finished in the same one.
  Writer* tail() {
    if (parts_.empty() || parts_.back().sealed ||
        parts_.back().text.size() >= kPartSize) {
      AddPart();
    }
    return &parts_.back().text;
  }
  void Append(const Bytes& slice);

  // Bytes that are not written yet.
  size_t size() const;
  bool empty() const { return size() == 0; }
  // Bytes ever written, and ever appended.
  uint64_t written() const { return written_; }
  uint64_t appended() const { return written_ + size(); }
  // The first bytes, in at most `max` pieces; returns how many pieces.
  size_t Gather(iovec* pieces, size_t max) const;
  // Drops the first `n` bytes, which were written.
  void Written(size_t n);

 private:
  static constexpr size_t kPartSize = 64 << 10;
  static constexpr size_t kMaxSpare = 8;
  // Text and the slice that goes behind it.
  struct Part {
    Writer text;
    Bytes slice;
    bool sealed = false;  // nothing more is appended to the text
  };
  void AddPart();

  std::deque<Part> parts_;
  size_t sealed_bytes_ = 0;  // of all parts but the last
  size_t skip_ = 0;          // bytes of the first part that are written
  uint64_t written_ = 0;
  std::vector<Writer> spare_;  // memory of parts that were written
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_OUTPUT_H_
