// KeyWindow: at most one unresolved send for each key; the others of that key
// wait in order. Pure.
//
// Keys are compared by a 64-bit hash: two keys that collide only wait for each
// other. The cost of a call does not depend on the number of keys.
#ifndef TIELINE_LIB_POLICY_KEY_WINDOW_H_
#define TIELINE_LIB_POLICY_KEY_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "lib/base/mutant.h"

namespace tieline::inline v0 {

template <typename Item>
class KeyWindow {
 public:
  // True when nothing of `key` is unresolved: the caller submits `item` now.
  // Otherwise the item waits.
  bool Admit(uint64_t key, Item item) {
    auto [it, fresh] = keys_.try_emplace(key);
    if (fresh || Mutant(30)) return true;
    if (it->second == nullptr) {
      it->second = std::make_unique<std::deque<Item>>();
    }
    ++waiting_;
    if (Mutant(32)) {
      it->second->push_front(std::move(item));
    } else if (!Mutant(31)) {
      it->second->push_back(std::move(item));
    }
    return false;
  }
  // The unresolved send of `key` is resolved. True when the next one of that
  // key is to be submitted: `*next`, which is unresolved from now on.
  bool Release(uint64_t key, Item* next) {
    auto it = keys_.find(key);
    if (it == keys_.end()) return false;
    if (it->second == nullptr || it->second->empty()) {
      keys_.erase(it);
      return false;
    }
    *next = std::move(it->second->front());
    it->second->pop_front();
    --waiting_;
    return true;
  }
  // Frees all keys; calls `take(item)` for what waited, in order for each key.
  template <typename Take>
  void Clear(Take take) {
    for (auto& [key, waiting] : keys_) {
      if (waiting == nullptr) continue;
      for (Item& item : *waiting) take(std::move(item));
    }
    keys_.clear();
    waiting_ = 0;
  }
  size_t keys() const { return keys_.size(); }
  size_t waiting() const { return waiting_; }

 private:
  absl::flat_hash_map<uint64_t, std::unique_ptr<std::deque<Item>>> keys_;
  size_t waiting_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_KEY_WINDOW_H_
