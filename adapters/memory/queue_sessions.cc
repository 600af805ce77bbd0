// A queue's sessions: who owns which, and what is kept with them.
#include <utility>

#include "adapters/memory/queue.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {

using driver::LaneEvent;
using driver::LaneState;

void Queue::AskSession(Consumer* consumer, std::string_view name) {
  MutexLock lock(&mu_);
  consumer->asked.emplace_back(name);
}

void Queue::Own(Consumer* consumer, Session* session) {
  const uint32_t lane = consumer->next_lane++;
  session->owner = consumer;
  session->lane = lane;
  session->due = locks_expire_ ? SteadyNow() + lock_nanos_ : kNever;
  const uint32_t epoch = ++epoch_;
  consumer->lanes[lane] = {epoch, session};
  LaneEvent event;
  event.lane = driver::Lane{lane};
  event.epoch = epoch;
  event.state = LaneState::kOpened;
  event.name = session->name;
  event.until = Wall(session->due);
  consumer->events.push_back(std::move(event));
}

void Queue::Disown(Consumer* consumer, uint32_t lane, bool counts,
                   const absl::Status& why, Rings* rings) {
  const Consumer::OwnLane own = consumer->lanes.at(lane);
  consumer->lanes.erase(lane);
  own.session->owner = nullptr;
  own.session->due = kNever;
  consumer->locks.RemoveLane(lane,
                             [&](Stored stored) ABSL_NO_THREAD_SAFETY_ANALYSIS {
                               GiveBack(std::move(stored), counts, rings);
                             });
  LaneEvent event;
  event.lane = driver::Lane{lane};
  event.epoch = own.epoch;
  event.state = LaneState::kClosed;
  event.name = own.session->name;
  event.why = why;
  event.is_fault = !why.ok();
  consumer->events.push_back(std::move(event));
  sessions_.ListIfFree(own.session);
  sessions_.EraseIfDone(own.session);
  WakeAll(rings);
}

void Queue::ServeAsked(Consumer* consumer) {
  std::deque<std::string> waiting;
  while (!consumer->asked.empty()) {
    std::string name = std::move(consumer->asked.front());
    consumer->asked.pop_front();
    if (name.empty()) {
      if (Session* session = sessions_.NextFree()) {
        Own(consumer, session);
      } else {
        waiting.push_back(std::move(name));
      }
      continue;
    }
    Session* session = sessions_.Get(name);
    if (session->owner == nullptr) {
      Own(consumer, session);
      continue;
    }
    LaneEvent refused;
    refused.lane = driver::Lane{consumer->next_lane++};
    refused.state = LaneState::kClosed;
    refused.name = std::move(name);
    refused.why = MakeStatus(absl::StatusCode::kUnavailable,
                             "{}: another receiver holds the session", name_);
    consumer->events.push_back(std::move(refused));
  }
  consumer->asked = std::move(waiting);
  if (!consumer->asked.empty()) Park(consumer);
}

void Queue::TakeEvents(Consumer* consumer, std::vector<LaneEvent>* out) {
  Rings rings;
  MutexLock lock(&mu_);
  if (HasTimers()) RunTimers(&rings);
  if (!consumer->asked.empty()) ServeAsked(consumer);
  for (LaneEvent& event : consumer->events) out->push_back(std::move(event));
  consumer->events.clear();
}

void Queue::DropSession(Consumer* consumer, uint32_t lane, uint32_t epoch) {
  Rings rings;
  MutexLock lock(&mu_);
  auto it = consumer->lanes.find(lane);
  if (it == consumer->lanes.end() || it->second.epoch != epoch) return;
  Disown(consumer, lane, false, absl::OkStatus(), &rings);
}

absl::Status Queue::RenewLane(Consumer* consumer, driver::Token token,
                              driver::Settled* answer) {
  if (!options_.sessions) {
    return absl::FailedPreconditionError(name_ + ": has no sessions to renew");
  }
  auto it = consumer->lanes.find(static_cast<uint32_t>(token.lane));
  if (it == consumer->lanes.end()) {
    return absl::AbortedError("the session is not held any more");
  }
  Session* session = it->second.session;
  if (locks_expire_) session->due = SteadyNow() + lock_nanos_;
  answer->locked_until = Wall(session->due);
  return absl::OkStatus();
}

absl::StatusOr<Bytes> Queue::SessionState(std::string_view name) {
  if (!options_.sessions) {
    return absl::FailedPreconditionError(name_ + ": has no sessions");
  }
  MutexLock lock(&mu_);
  Session* session = sessions_.Find(name);
  return session == nullptr ? Bytes() : session->state;
}

absl::Status Queue::SetSessionState(std::string_view name, Bytes state) {
  if (!options_.sessions) {
    return absl::FailedPreconditionError(name_ + ": has no sessions");
  }
  MutexLock lock(&mu_);
  Session* session = sessions_.Get(name);
  session->state = state.Own();
  sessions_.EraseIfDone(session);
  return absl::OkStatus();
}

}  // namespace memory
}  // namespace tieline::inline v0
