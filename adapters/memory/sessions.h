// Sessions: the messages of an entity by key, each key with its line, its state
// and at most one receiver at a time.
//
// A session exists while it has messages, state or an owner, so what is done
// costs nothing. Threads: guarded by the queue's mutex.
#ifndef TIELINE_ADAPTERS_MEMORY_SESSIONS_H_
#define TIELINE_ADAPTERS_MEMORY_SESSIONS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "adapters/memory/line.h"
#include "tieline/bytes.h"

namespace tieline::inline v0 {
namespace memory {

struct Consumer;

struct Session {
  std::string name;
  Line line;
  Bytes state;
  Consumer* owner = nullptr;
  uint32_t lane = 0;    // the owner's
  Nanos due = kNever;   // when the owner's lock runs out
  bool listed = false;  // among the free ones
};

class Sessions {
 public:
  // Made when it isn't there.
  Session* Get(std::string_view name) {
    auto& place = sessions_[std::string(name)];
    if (place == nullptr) {
      place = std::make_unique<Session>();
      place->name = name;
    }
    return place.get();
  }
  // Null when it isn't there.
  Session* Find(std::string_view name) {
    auto it = sessions_.find(std::string(name));
    return it == sessions_.end() ? nullptr : it->second.get();
  }
  // It has messages and no owner: NextFree gives it out in its turn.
  void ListIfFree(Session* session) {
    if (session->owner != nullptr || session->line.empty()) return;
    if (session->listed) return;
    session->listed = true;
    free_.push_back(session->name);
  }
  // The one that has been free the longest; null when there is none.
  Session* NextFree() {
    while (!free_.empty()) {
      Session* session = Find(free_.front());
      free_.pop_front();
      if (session == nullptr) continue;
      session->listed = false;
      if (session->owner == nullptr && !session->line.empty()) return session;
    }
    return nullptr;
  }
  // Forgets it when nothing is left of it.
  void EraseIfDone(Session* session) {
    if (session->owner != nullptr || !session->line.empty()) return;
    if (session->state.empty()) sessions_.erase(session->name);
  }
  size_t active() const {
    size_t n = 0;
    for (const auto& [name, session] : sessions_) n += session->line.size();
    return n;
  }
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [name, session] : sessions_) visit(session.get());
  }

 private:
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  std::deque<std::string> free_;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_SESSIONS_H_
