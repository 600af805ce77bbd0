// What goes wrong with a SimBroker.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/sim/broker.h"
#include "tests/sim/connection.h"
#include "tests/sim/handles.h"

namespace tieline::sim {
namespace {

Answer Lost(std::string why) {
  return [why = std::move(why)](SimConnection& connection) {
    connection.BeLost(absl::UnavailableError(why));
  };
}

}  // namespace

Session* SimBroker::Connect(SimConnection* client) {
  auto owned = std::make_unique<Session>();
  Session* session = owned.get();
  session->broker = this;
  session->client = client;
  session->id = sessions_.size() + 1;
  sessions_.push_back(std::move(owned));
  if (!faults_.alive) {
    session->gone = true;
    // Refused, or nobody answers at all.
    if (rng_.Chance(80)) session->Down(Lost("connection refused"));
    return session;
  }
  session->Up([session] { session->Down([](SimConnection& c) { c.BeUp(); }); });
  return session;
}

void SimBroker::Forget(Session& session) {
  if (session.gone) return;
  session.gone = true;
  for (auto& [number, link] : session.links) {
    if (!link.reads) continue;
    readers_.erase(link.reader.id);
    EntityOf(link.entity)
        .RemoveReader(link.reader.id, timeline_->now(),
                      TellReaders(link.entity));
  }
  session.links.clear();
  PushAll();
}

std::vector<Session*> SimBroker::LiveSessions() {
  std::vector<Session*> live;
  for (const auto& session : sessions_) {
    if (!session->gone && session->client != nullptr &&
        session->cut == absl::InfiniteFuture()) {
      live.push_back(session.get());
    }
  }
  return live;
}

void SimBroker::Cut(Session& session, absl::Duration client_hears,
                    absl::Duration broker_hears) {
  const absl::Time now = timeline_->now();
  if (session.cut == absl::InfiniteFuture()) {
    // A part of what is on its way arrives; now and then all, much later.
    session.cut =
        now + rng_.Between(absl::ZeroDuration(), 2 * traits_.latency_high);
  }
  timeline_->After(client_hears, [s = &session] {
    if (s->client != nullptr) s->client->Hear(Lost("connection reset"));
  });
  timeline_->At(std::max(now + broker_hears, session.cut),
                [this, s = &session] { Forget(*s); });
}

void SimBroker::Pause() {
  faults_.paused = true;
  const absl::Time since = timeline_->now();
  timeline_->After(traits_.idle, [this, since] {
    const bool still = faults_.paused && timeline_->now() >= since;
    if (!still || !faults_.alive) return;
    for (Session* session : LiveSessions()) {
      Cut(*session, rng_.Between(absl::ZeroDuration(), absl::Seconds(1)),
          traits_.idle);
    }
  });
}

void SimBroker::Resume() {
  faults_.paused = false;
  std::vector<Waiting> waiting;
  waiting.swap(waiting_);
  for (const Waiting& w : waiting) w.session->Arrive(w.step);
  PushAll();
}

void SimBroker::Die(bool loses_data) {
  faults_.alive = false;
  faults_.paused = false;
  waiting_.clear();
  for (Session* session : LiveSessions()) {
    session->cut = timeline_->now();
    Cut(*session, rng_.Between(absl::ZeroDuration(), absl::Milliseconds(20)),
        absl::ZeroDuration());
  }
  for (const auto& session : sessions_) Forget(*session);
  if (!loses_data) return;
  for (const auto& [name, entity] : entities_) entity->Lose();
  seen_ids_.clear();
}

void SimBroker::Revive() {
  faults_.alive = true;
  PushAll();
}

void SimBroker::DetachSomeLink() {
  std::vector<Session*> live = LiveSessions();
  if (live.empty()) return;
  Session& session = *live[static_cast<size_t>(
      rng_.Between(0, static_cast<int>(live.size()) - 1))];
  if (session.links.empty()) return;
  const int skip = rng_.Between(0, static_cast<int>(session.links.size()) - 1);
  auto it = session.links.begin();
  std::advance(it, skip);
  const uint32_t link = it->first;
  const absl::Status why = absl::UnavailableError("detached by the broker");
  session.Down([link, why, reads = it->second.reads](SimConnection& c) {
    SimHandle* handle = c.Find(link);
    if (handle == nullptr) return;
    if (reads) {
      static_cast<SimReceiver*>(handle)->BeClosed(why);
    } else {
      static_cast<SimSender*>(handle)->BeClosed(why);
    }
  });
  ForgetLink(session, link);
}

void SimBroker::Rebalance(absl::Duration grace) {
  for (const auto& [name, entity] : entities_) {
    entity->Rebalance(rng_.Between(0, 15), timeline_->now(), grace,
                      TellReaders(name));
  }
}

}  // namespace tieline::sim
