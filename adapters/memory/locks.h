// Locks: the deliveries that one receiver holds, by token id, and in the order
// in which their locks run out.
//
// All locks of a queue last equally long, so a lock that is taken or renewed is
// the last to run out: a list keeps the order without sorting. Threads: guarded
// by the queue's mutex.
#ifndef TIELINE_ADAPTERS_MEMORY_LOCKS_H_
#define TIELINE_ADAPTERS_MEMORY_LOCKS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "adapters/memory/line.h"

namespace tieline::inline v0 {
namespace memory {

class Locks {
 public:
  struct Held {
    Stored stored;
    Nanos due = kNever;
    uint32_t lane = 0;
    uint32_t generation = 0;  // of this place; part of the id
    uint32_t previous = 0;
    uint32_t next = 0;
    bool used = false;
  };

  Locks() { places_.resize(1); }  // place 0 is the list's anchor

  size_t size() const { return size_; }

  // Returns the token id, never 0 and never the same for a place used again
  // (before 2^32 uses of it).
  uint64_t Add(Stored stored, Nanos due, uint32_t lane) {
    uint32_t place;
    if (free_.empty()) {
      place = static_cast<uint32_t>(places_.size());
      places_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    Held& held = places_[place];
    held.stored = std::move(stored);
    held.due = due;
    held.lane = lane;
    held.used = true;
    LinkLast(place);
    ++size_;
    return (uint64_t{held.generation} << 32) | place;
  }

  // Null when it isn't held (any more).
  Held* Find(uint64_t id) {
    const auto place = static_cast<uint32_t>(id);
    if (place == 0 || place >= places_.size()) return nullptr;
    Held& held = places_[place];
    if (!held.used || held.generation != id >> 32) return nullptr;
    return &held;
  }

  Stored Remove(Held* held) {
    const auto place = static_cast<uint32_t>(held - places_.data());
    Unlink(place);
    held->used = false;
    ++held->generation;
    free_.push_back(place);
    --size_;
    return std::move(held->stored);
  }

  void Renew(Held* held, Nanos due) {
    const auto place = static_cast<uint32_t>(held - places_.data());
    held->due = due;
    Unlink(place);
    LinkLast(place);
  }

  // The one whose lock runs out first; null when none is held.
  Held* First() { return size_ == 0 ? nullptr : &places_[places_[0].next]; }

  // Removes all of a lane (or all), in the order of delivery where none was
  // renewed, and hands each to `take`.
  template <typename Take>
  void RemoveLane(uint32_t lane, Take take) {
    for (uint32_t i = places_[0].next; i != 0;) {
      const uint32_t next = places_[i].next;
      if (places_[i].lane == lane) take(Remove(&places_[i]));
      i = next;
    }
  }
  template <typename Take>
  void RemoveAll(Take take) {
    while (Held* held = First()) take(Remove(held));
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (uint32_t i = places_[0].next; i != 0; i = places_[i].next) {
      visit(places_[i].stored);
    }
  }

 private:
  void LinkLast(uint32_t place) {
    const uint32_t last = places_[0].previous;
    places_[place].previous = last;
    places_[place].next = 0;
    places_[last].next = place;
    places_[0].previous = place;
  }
  void Unlink(uint32_t place) {
    Held& held = places_[place];
    places_[held.previous].next = held.next;
    places_[held.next].previous = held.previous;
  }

  std::vector<Held> places_;
  std::vector<uint32_t> free_;
  size_t size_ = 0;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_LOCKS_H_
