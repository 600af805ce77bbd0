// Line: the messages of one queue (or session) that wait to be delivered, in
// the order of their sequence numbers.
//
// New ones are appended to chunks, with no allocation a message; those that
// come back from a receiver are few and wait in a map. Threads: guarded by the
// queue's mutex.
#ifndef TIELINE_ADAPTERS_MEMORY_LINE_H_
#define TIELINE_ADAPTERS_MEMORY_LINE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "tieline/message.h"

namespace tieline::inline v0 {
namespace memory {

// A time on the clock's steady side, in nanoseconds.
using Nanos = int64_t;
inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

// A message with what the broker knows of it.
struct Stored {
  Message message;
  int64_t sequence = 0;
  Nanos expires = kNever;
  uint32_t attempts = 0;
  bool redelivered = false;
  bool gone = false;  // taken out of the middle of a line
};

class Line {
 public:
  bool empty() const { return live_ == 0 && returned_.empty(); }
  size_t size() const { return live_ + returned_.size(); }

  // `stored.sequence` is above all that were appended before.
  void Append(Stored stored) {
    const size_t at = head_ + slots_;
    if (at == chunks_.size() * kChunk) {
      chunks_.push_back(spare_ ? std::move(spare_) : std::make_unique<Chunk>());
    }
    At(slots_) = std::move(stored);
    ++slots_;
    ++live_;
  }

  // Comes back to its place in the order.
  void Return(Stored stored) {
    const int64_t sequence = stored.sequence;
    returned_.emplace(sequence, std::move(stored));
  }

  // The next one; null when empty.
  Stored* Front() {
    if (!returned_.empty() &&
        (live_ == 0 || returned_.begin()->first < At(0).sequence)) {
      return &returned_.begin()->second;
    }
    return live_ == 0 ? nullptr : &At(0);
  }

  // Takes the next one; the line is not empty.
  Stored Pop() {
    if (!returned_.empty() &&
        (live_ == 0 || returned_.begin()->first < At(0).sequence)) {
      return std::move(returned_.extract(returned_.begin()).mapped());
    }
    Stored stored = std::move(At(0));
    --live_;
    DropFirst();
    SkipGone();
    return stored;
  }

  // Takes the one with this number out; false when there is none.
  bool Remove(int64_t sequence, Stored* out) {
    if (auto node = returned_.extract(sequence)) {
      *out = std::move(node.mapped());
      return true;
    }
    const size_t i = LowerBound(sequence);
    if (i == slots_ || At(i).sequence != sequence || At(i).gone) return false;
    *out = std::move(At(i));
    At(i).message = Message();
    At(i).sequence = sequence;
    At(i).gone = true;
    --live_;
    SkipGone();
    return true;
  }

  // Calls visit(stored) in order from number `from` on, until it returns false.
  template <typename Visit>
  void ForEach(int64_t from, Visit visit) {
    auto back = returned_.lower_bound(from);
    size_t i = LowerBound(from);
    while (true) {
      while (i < slots_ && At(i).gone) ++i;
      const bool have = i < slots_;
      if (back != returned_.end() && (!have || back->first < At(i).sequence)) {
        if (!visit(back->second)) return;
        ++back;
      } else if (have) {
        if (!visit(At(i))) return;
        ++i;
      } else {
        return;
      }
    }
  }

 private:
  static constexpr size_t kChunk = 64;
  using Chunk = std::array<Stored, kChunk>;

  Stored& At(size_t i) {
    const size_t at = head_ + i;
    return (*chunks_[at / kChunk])[at % kChunk];
  }

  void DropFirst() {
    --slots_;
    if (++head_ == kChunk) {
      head_ = 0;
      spare_ = std::move(chunks_.front());
      chunks_.pop_front();
    }
  }

  void SkipGone() {
    while (slots_ > 0 && At(0).gone) {
      At(0).gone = false;
      DropFirst();
    }
  }

  // Index of the first slot whose number is not below `sequence`.
  size_t LowerBound(int64_t sequence) {
    size_t low = 0;
    size_t high = slots_;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (At(middle).sequence < sequence) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::unique_ptr<Chunk> spare_;
  size_t head_ = 0;   // of the first slot, in the first chunk
  size_t slots_ = 0;  // gone ones included
  size_t live_ = 0;
  std::map<int64_t, Stored> returned_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_LINE_H_
