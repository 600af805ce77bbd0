// SeenIds: the ids of the duplicate detection window.
// Threads: guarded by the queue's mutex.
#ifndef TIELINE_ADAPTERS_MEMORY_SEEN_IDS_H_
#define TIELINE_ADAPTERS_MEMORY_SEEN_IDS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "adapters/memory/line.h"

namespace tieline::inline v0 {
namespace memory {

class SeenIds {
 public:
  // The number of the message first seen with this id within the window, or -1.
  int64_t Find(std::string_view id, Nanos now) {
    while (!ages_.empty() && ages_.front().first <= now) {
      numbers_.erase(ages_.front().second);
      ages_.pop_front();
    }
    auto it = numbers_.find(std::string(id));
    return it == numbers_.end() ? -1 : it->second;
  }
  void Add(std::string_view id, int64_t number, Nanos forget_at) {
    numbers_.emplace(id, number);
    ages_.emplace_back(forget_at, id);
  }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
  std::deque<std::pair<Nanos, std::string>> ages_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_SEEN_IDS_H_
