#include "tests/model/search.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace tieline::model {
namespace {

constexpr uint32_t kNone = ~uint32_t{0};

// States by number, and numbers by state.
class Seen {
 public:
  Seen() : slots_(size_t{1} << 16, kNone) {}

  // The state's number, and whether it is new.
  std::pair<uint32_t, bool> Add(const World& world, uint32_t parent) {
    if (size_ * 2 >= slots_.size()) Grow();
    size_t slot = Hash(world) & (slots_.size() - 1);
    while (slots_[slot] != kNone) {
      if (at(slots_[slot]) == world) return {slots_[slot], false};
      slot = (slot + 1) & (slots_.size() - 1);
    }
    if (size_ == blocks_.size() * kBlock) {
      blocks_.push_back(std::make_unique<Entry[]>(kBlock));
    }
    const auto number = static_cast<uint32_t>(size_++);
    blocks_[number / kBlock][number % kBlock] = {world, parent};
    slots_[slot] = number;
    return {number, true};
  }
  const World& at(uint32_t number) const {
    return blocks_[number / kBlock][number % kBlock].world;
  }
  uint32_t parent(uint32_t number) const {
    return blocks_[number / kBlock][number % kBlock].parent;
  }
  size_t size() const { return size_; }
  uint64_t bytes() const {
    return slots_.size() * sizeof(uint32_t) +
           blocks_.size() * kBlock * sizeof(Entry);
  }

 private:
  static constexpr size_t kBlock = size_t{1} << 16;
  struct Entry {
    World world;
    uint32_t parent = kNone;
  };

  static uint64_t Hash(const World& world) {
    uint64_t hash = 0;
    const auto* bytes = reinterpret_cast<const char*>(&world);
    for (size_t at = 0; at < sizeof(World); at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min<size_t>(8, sizeof(World) - at));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    hash *= 0xbf58476d1ce4e5b9u;
    return hash ^ (hash >> 32);
  }

  void Grow() {
    slots_.assign(slots_.size() * 2, kNone);
    for (uint32_t number = 0; number < size_; ++number) {
      size_t slot = Hash(at(number)) & (slots_.size() - 1);
      while (slots_[slot] != kNone) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = number;
    }
  }

  std::vector<std::unique_ptr<Entry[]>> blocks_;
  std::vector<uint32_t> slots_;
  size_t size_ = 0;
};

// The way to state `number`, told again from the start.
std::vector<std::string> Trace(MoveModel& model, const Seen& seen,
                               uint32_t number) {
  std::vector<uint32_t> way;
  for (uint32_t at = number; at != kNone; at = seen.parent(at)) {
    way.push_back(at);
  }
  std::reverse(way.begin(), way.end());
  std::vector<std::string> trace;
  std::vector<Successor> next;
  for (size_t i = 0; i + 1 < way.size(); ++i) {
    model.Expand(seen.at(way[i]), next);
    const World& wanted = seen.at(way[i + 1]);
    const auto found =
        std::find_if(next.begin(), next.end(),
                     [&](const Successor& s) { return s.world == wanted; });
    trace.push_back(model.Describe(found->step) + "  -> " +
                    model.Describe(found->world));
  }
  return trace;
}

}  // namespace

SearchResult Search(MoveModel& model, uint64_t max_states) {
  SearchResult result;
  Seen seen;
  seen.Add(model.Start(), kNone);
  std::vector<Successor> next;
  uint32_t end_of_level = 1;
  for (uint32_t number = 0; number < seen.size(); ++number) {
    if (seen.size() > max_states) break;
    if (number == end_of_level) {
      ++result.depth;
      end_of_level = static_cast<uint32_t>(seen.size());
    }
    const World world = seen.at(number);
    const int64_t progress = model.Progress(world);
    model.Expand(world, next);
    bool is_end = true;
    for (Successor& successor : next) {
      ++result.transitions;
      is_end = is_end && successor.step.is_fault;
      if (successor.violation.empty() &&
          model.Progress(successor.world) <= progress) {
        successor.violation = "a step leads nowhere";
      }
      if (!successor.violation.empty()) {
        result.violation = successor.violation;
        result.trace = Trace(model, seen, number);
        result.trace.push_back(model.Describe(successor.step) + "  -> " +
                               model.Describe(successor.world));
        break;
      }
      seen.Add(successor.world, number);
    }
    if (!result.violation.empty()) break;
    if (!is_end) continue;
    ++result.ends;
    result.violation = model.CheckEnd(world);
    if (result.violation.empty()) continue;
    result.trace = Trace(model, seen, number);
    break;
  }
  result.states = seen.size();
  result.bytes = seen.bytes();
  result.complete = result.violation.empty() && seen.size() <= max_states;
  return result;
}

}  // namespace tieline::model
