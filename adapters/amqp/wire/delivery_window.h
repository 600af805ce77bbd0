// DeliveryWindow: what is known of each unsettled delivery, by delivery id.
//
// Ids are consecutive serial numbers (RFC 1982). Entries are kept in chunks
// that are freed once all their deliveries are settled, so an old unsettled
// delivery costs one chunk, and a few bytes for each chunk behind it.
// Threads: one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_DELIVERY_WINDOW_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_DELIVERY_WINDOW_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace tieline::inline v0::amqp::wire {

class Link;

struct DeliveryEntry {
  Link* link = nullptr;  // null: settled, or never to be
  uint64_t cookie = 0;
  uint64_t position = 0;  // of its first byte in the output
};

class DeliveryWindow {
 public:
  // The id that Add() uses next.
  uint32_t next() const { return next_; }
  // Only while nothing was added.
  void Start(uint32_t first) { base_ = next_ = first; }

  uint32_t Add(Link* link, uint64_t cookie, uint64_t position) {
    uint32_t offset = next_ - base_;
    if (offset / kChunk == chunks_.size()) Grow();
    Chunk& chunk = *chunks_.back();
    chunk.entries[offset % kChunk] = {link, cookie, position};
    ++chunk.live;
    ++live_;
    return next_++;
  }
  // Uses up an id that needs no settling.
  uint32_t Skip() {
    uint32_t id = Add(nullptr, 0, 0);
    Remove(id);
    return id;
  }
  // Null when there is no such unsettled delivery.
  DeliveryEntry* Find(uint32_t id) {
    uint32_t offset = id - base_;
    if (offset >= next_ - base_) return nullptr;
    Chunk* chunk = chunks_[offset / kChunk].get();
    if (chunk == nullptr) return nullptr;
    DeliveryEntry* entry = &chunk->entries[offset % kChunk];
    return entry->link == nullptr ? nullptr : entry;
  }
  // `id` must have been added and not removed.
  void Remove(uint32_t id) {
    uint32_t offset = id - base_;
    std::unique_ptr<Chunk>& chunk = chunks_[offset / kChunk];
    chunk->entries[offset % kChunk].link = nullptr;
    --live_;
    if (--chunk->live == 0 && Full(offset)) Free(&chunk);
  }
  // Cuts [*first, *last] to the ids that are in the window; false when there
  // are none. A peer's range may be of any size.
  bool Clamp(uint32_t* first, uint32_t* last) const {
    uint32_t count = next_ - base_;
    uint32_t from = *first - base_;
    uint32_t span = *last - *first;
    if (span > INT32_MAX) return false;  // last is before first
    if (from >= count) {
      // The range may begin before the window.
      uint32_t before = base_ - *first;
      if (before > INT32_MAX || before > span) return false;
      from = 0;
      span -= before;
    }
    if (count == 0) return false;
    if (span > count - 1 - from) span = count - 1 - from;
    *first = base_ + from;
    *last = *first + span;
    return true;
  }
  // Calls f(id, entry) for every unsettled delivery of [first, last], which
  // must be in the window. f may remove the entry and add others.
  template <typename F>
  void ForEach(uint32_t first, uint32_t last, F f) {
    for (uint32_t id = first; id != last + 1;) {
      uint32_t offset = id - base_;
      if (offset < next_ - base_ && chunks_[offset / kChunk] == nullptr) {
        uint32_t skip = kChunk - offset % kChunk;
        id = last - id < skip ? last + 1 : id + skip;
        continue;
      }
      if (DeliveryEntry* entry = Find(id)) f(id, *entry);
      ++id;
    }
  }
  // Removes every delivery of the link, and calls f(id, entry) for it.
  template <typename F>
  void RemoveAll(const Link* link, F f) {
    if (next_ == base_) return;
    ForEach(base_, next_ - 1, [&](uint32_t id, DeliveryEntry entry) {
      if (entry.link != link) return;
      Remove(id);
      f(id, entry);
    });
  }
  size_t live() const { return live_; }

 private:
  static constexpr uint32_t kChunk = 256;
  struct Chunk {
    std::array<DeliveryEntry, kChunk> entries;
    uint32_t live = 0;
  };

  // True when the chunk of this offset will get no more entries.
  bool Full(uint32_t offset) const {
    return (offset / kChunk + 1) * kChunk <= next_ - base_;
  }
  void Free(std::unique_ptr<Chunk>* chunk) {
    spare_ = std::move(*chunk);
    while (!chunks_.empty() && chunks_.front() == nullptr) {
      chunks_.pop_front();
      base_ += kChunk;
    }
  }
  void Grow() {
    // The last chunk may have been emptied before it was full.
    if (!chunks_.empty() && chunks_.back() != nullptr &&
        chunks_.back()->live == 0) {
      Free(&chunks_.back());
    }
    chunks_.push_back(spare_ != nullptr ? std::move(spare_)
                                        : std::make_unique<Chunk>());
    chunks_.back()->live = 0;
  }

  uint32_t base_ = 0;
  uint32_t next_ = 0;
  size_t live_ = 0;
  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::unique_ptr<Chunk> spare_;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_DELIVERY_WINDOW_H_
