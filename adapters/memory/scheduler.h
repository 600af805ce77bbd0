// Scheduler: messages that wait for their time, and the times at which waiting
// messages expire.
//
// Only messages with such a time cost anything here. Threads: guarded by the
// queue's mutex.
#ifndef TIELINE_ADAPTERS_MEMORY_SCHEDULER_H_
#define TIELINE_ADAPTERS_MEMORY_SCHEDULER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "adapters/memory/line.h"

namespace tieline::inline v0 {
namespace memory {

class Scheduler {
 public:
  size_t scheduled() const { return waiting_.size(); }

  void Schedule(Nanos due, Stored stored) {
    const int64_t sequence = stored.sequence;
    waiting_.emplace(std::pair(due, sequence), std::move(stored));
    due_of_.emplace(sequence, due);
  }
  // False when there is none by that number.
  bool Cancel(int64_t sequence, Stored* out) {
    auto it = due_of_.find(sequence);
    if (it == due_of_.end()) return false;
    auto node = waiting_.extract(std::pair(it->second, sequence));
    due_of_.erase(it);
    *out = std::move(node.mapped());
    return true;
  }
  // Takes the first whose time has come.
  bool PopDue(Nanos now, Stored* out) {
    if (waiting_.empty() || waiting_.begin()->first.first > now) return false;
    auto node = waiting_.extract(waiting_.begin());
    due_of_.erase(node.key().second);
    *out = std::move(node.mapped());
    return true;
  }
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [key, stored] : waiting_) visit(stored);
  }

  // `session` says in which line it waits; "" for the queue's own.
  void WatchExpiry(const Stored& stored, std::string_view session) {
    expiring_.emplace(std::pair(stored.expires, stored.sequence),
                      std::string(session));
  }
  void ForgetExpiry(const Stored& stored) {
    expiring_.erase({stored.expires, stored.sequence});
  }
  // Takes the first that has expired.
  bool PopExpired(Nanos now, int64_t* sequence, std::string* session) {
    if (expiring_.empty() || expiring_.begin()->first.first > now) return false;
    auto node = expiring_.extract(expiring_.begin());
    *sequence = node.key().second;
    *session = std::move(node.mapped());
    return true;
  }

  Nanos Next() const {
    Nanos next = kNever;
    if (!waiting_.empty()) next = waiting_.begin()->first.first;
    if (!expiring_.empty()) {
      next = std::min(next, expiring_.begin()->first.first);
    }
    return next;
  }

 private:
  std::map<std::pair<Nanos, int64_t>, Stored> waiting_;  // by due, number
  std::unordered_map<int64_t, Nanos> due_of_;
  std::map<std::pair<Nanos, int64_t>, std::string> expiring_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_SCHEDULER_H_
