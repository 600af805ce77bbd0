#include "tests/sim/broker.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/connection.h"
#include "tests/sim/handles.h"
#include "tests/sim/lock_queue.h"
#include "tests/sim/log_topic.h"

namespace tieline::sim {

using driver::Fate;
using driver::Outcome;

namespace {

// Deliveries that go out together, at most.
constexpr size_t kDeliveries = 16;

template <typename Handle, typename Call>
Answer To(uint32_t handle, Call call) {
  return [handle, call = std::move(call)](SimConnection& connection) {
    if (SimHandle* found = connection.Find(handle)) {
      call(static_cast<Handle&>(*found));
    }
  };
}

}  // namespace

SimBroker::SimBroker(BrokerTraits traits, Timeline* timeline, Ledger* ledger,
                     Rng rng)
    : traits_(std::move(traits)),
      timeline_(timeline),
      ledger_(ledger),
      rng_(rng) {}

Capabilities SimBroker::capabilities() const {
  Capabilities c;
  c.add(Capability::kOrdering).add(Capability::kDepth);
  c.add(Capability::kCreateEntity);
  if (traits_.pipelines) c.add(Capability::kOrderedPipelining);
  if (traits_.drops_duplicates) {
    c.add(Capability::kDuplicateDetection);
    c.duplicate_window = absl::Minutes(10);
  }
  if (!traits_.is_log) {
    c.add(Capability::kBrokerRedelivery).add(Capability::kDeadLetter);
    c.add(Capability::kAttemptCount).add(Capability::kTtl);
    c.add(Capability::kLockRenewal).add(Capability::kSingleSettle);
  }
  c.drain_proof = !traits_.tells_undrained ? DrainProof::kQuietPeriod
                  : traits_.is_log         ? DrainProof::kOffsets
                                           : DrainProof::kCount;
  c.max_message_bytes = traits_.max_message_bytes;
  return c;
}

Entity& SimBroker::EntityOf(const std::string& name) {
  std::unique_ptr<Entity>& entity = entities_[name];
  if (entity == nullptr) {
    const Entity::Context context{ledger_, traits_.place, traits_.lock,
                                  traits_.most_attempts};
    if (traits_.is_log) {
      entity = std::make_unique<LogTopic>(context, traits_.partitions);
    } else {
      entity = std::make_unique<LockQueue>(context, traits_.ordered);
    }
  }
  return *entity;
}

void SimBroker::Prefill(const std::string& entity, Message message,
                        int number) {
  Copy copy;
  copy.message = std::move(message);
  copy.number = number;
  EntityOf(entity).Store(std::move(copy));
}

int64_t SimBroker::Undrained() const {
  int64_t count = 0;
  for (const auto& [name, entity] : entities_) count += entity->undrained();
  return count;
}

size_t SimBroker::links() const {
  size_t count = 0;
  for (const auto& session : sessions_) {
    if (!session->gone && session->client != nullptr) {
      count += session->links.size();
    }
  }
  return count;
}

// ---- What arrives on a session.

void SimBroker::Open(Session& session, uint32_t link, const std::string& entity,
                     bool reads) {
  const auto refuse = [&](const absl::Status& why) {
    if (reads) {
      session.Down(
          To<SimReceiver>(link, [why](SimReceiver& r) { r.BeClosed(why); }));
    } else {
      session.Down(
          To<SimSender>(link, [why](SimSender& s) { s.BeClosed(why); }));
    }
  };
  if (faults_.closes_links > timeline_->now()) {
    const bool for_now = rng_.Chance(70);
    refuse(for_now ? absl::UnavailableError("no links at present")
                   : absl::NotFoundError("no such entity at present"));
    return;
  }
  BrokerLink& l = session.links[link];
  l.reads = reads;
  l.entity = entity;
  const Capabilities c = capabilities();
  if (!reads) {
    session.Down(To<SimSender>(link, [c](SimSender& s) { s.BeOpened(c); }));
    return;
  }
  session.Down(To<SimReceiver>(link, [c](SimReceiver& r) { r.BeOpened(c); }));
  l.reader.id = next_reader_++;
  readers_[l.reader.id] = {&session, link};
  EntityOf(entity).AddReader(&l.reader, timeline_->now(), TellReaders(entity));
  Push(entity);
}

Entity::Tell SimBroker::TellReaders(const std::string& entity) {
  return [this, entity](uint64_t reader, const driver::LaneEvent& event) {
    const auto it = readers_.find(reader);
    if (it == readers_.end()) return;
    it->second.first->Down(To<SimReceiver>(
        it->second.second, [event](SimReceiver& r) { r.BeTold(event); }));
    if (event.state != driver::LaneState::kOpened) return;
    timeline_->After(absl::ZeroDuration(), [this, entity] { Push(entity); });
  };
}

Outcome SimBroker::Judge(BrokerLink& link, const SentMessage& sent) {
  Outcome outcome;
  outcome.cookie = sent.cookie;
  outcome.fate = Fate::kAccepted;
  const absl::Time now = timeline_->now();
  const int place = traits_.place;
  if (link.refusing || faults_.busy > now) {
    outcome.fate = Fate::kNotTaken;
    outcome.why = absl::ResourceExhaustedError("the broker is busy");
    if (rng_.Chance(50)) {
      outcome.wait =
          rng_.Between(absl::Milliseconds(1), absl::Milliseconds(500));
    }
    ledger_->Add(sent.number, What::kBusy, place);
    link.refusing = traits_.pipelines;
    return outcome;
  }
  const bool too_large =
      traits_.max_message_bytes > 0 &&
      sent.message.size_estimate() > traits_.max_message_bytes;
  // Where others are on their way behind it, what is refused once stays so.
  const bool again =
      traits_.pipelines && refused_.count(std::string(sent.message.id())) != 0;
  if (too_large || again || (faults_.refuses > now && rng_.Chance(10))) {
    refused_.emplace(sent.message.id());
    outcome.fate = Fate::kRejected;
    outcome.why = too_large || rng_.Chance(50)
                      ? absl::InvalidArgumentError("the broker refuses it")
                      : absl::InternalError("the broker failed with it");
    ledger_->OnRejected(sent.number, place);
    return outcome;
  }
  if (faults_.doubtful > now && !traits_.pipelines && rng_.Chance(30)) {
    outcome.fate = Fate::kUnknown;
    outcome.why = absl::UnavailableError("the broker can't tell");
    if (rng_.Chance(50)) return outcome;
  }
  Accept(link.entity, sent.message);
  return outcome;
}

void SimBroker::Accept(const std::string& entity, const Message& message) {
  const absl::Time now = timeline_->now();
  const int number = Ledger::NumberOf(message);
  if (absl::EndsWith(entity, ".dead-letter")) {
    ledger_->OnDeadLetter(message, traits_.place);
    return;
  }
  if (traits_.drops_duplicates) {
    const std::string id = absl::StrCat(entity, "/", std::string(message.id()));
    if (!seen_ids_.emplace(id, now).second) {
      ledger_->Add(number, What::kDuplicate, traits_.place);
      return;
    }
  }
  if (traits_.is_sink) {
    ledger_->OnEffect(message, traits_.place);
    return;
  }
  Copy copy;
  copy.message = message;
  copy.number = number;
  if (message.ttl() != absl::InfiniteDuration() && !traits_.is_log) {
    copy.expires = now + message.ttl();
  }
  if (faults_.surfaces_late > now && rng_.Chance(20)) {
    copy.visible =
        now + rng_.Between(absl::Milliseconds(100), absl::Seconds(8));
  }
  EntityOf(entity).Store(std::move(copy));
}

void SimBroker::Submit(Session& session, uint32_t link,
                       const SentMessages& messages) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;  // closed meanwhile
  const absl::Time now = timeline_->now();
  std::vector<Outcome> outcomes;
  for (const SentMessage& sent : messages) {
    ledger_->Add(sent.number, What::kArrived, traits_.place);
    Outcome outcome = Judge(it->second, sent);
    if (faults_.mute > now) continue;
    if (faults_.late > now && rng_.Chance(50)) {
      session.Down(
          To<SimSender>(link,
                        [outcome](SimSender& s) { s.BeAnswered({outcome}); }),
          rng_.Between(absl::Milliseconds(5), absl::Seconds(3)));
      continue;
    }
    outcomes.push_back(std::move(outcome));
  }
  if (!outcomes.empty()) {
    session.Down(To<SimSender>(
        link, [outcomes](SimSender& s) { s.BeAnswered(outcomes); }));
  }
  if (faults_.mute > now && session.cut == absl::InfiniteFuture()) {
    // Nobody will ever answer: the client gives the connection up.
    Cut(session, traits_.idle, traits_.idle);
  }
  if (!traits_.is_sink) Push(it->second.entity);
}

void SimBroker::Grant(Session& session, uint32_t link, uint64_t messages,
                      uint64_t bytes) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;
  it->second.reader.messages += messages;
  it->second.reader.bytes += bytes;
  Push(it->second.entity);
}

void SimBroker::Drain(Session& session, uint32_t link) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;
  it->second.reader.messages = it->second.reader.bytes = 0;
  session.Down(To<SimReceiver>(link, [](SimReceiver& r) { r.BeDrained(); }));
}

void SimBroker::Settle(Session& session, uint32_t link,
                       const std::vector<driver::Settlement>& settlements) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;
  Entity& entity = EntityOf(it->second.entity);
  std::vector<driver::Settled> settled;
  for (const driver::Settlement& s : settlements) {
    settled.push_back(entity.Settle(it->second.reader, s, timeline_->now()));
  }
  session.Down(To<SimReceiver>(
      link, [settled](SimReceiver& r) { r.BeSettled(settled); }));
  Push(it->second.entity);
}

void SimBroker::DropLane(Session& session, uint32_t link, driver::Lane lane,
                         uint32_t epoch) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;
  const std::string entity = it->second.entity;
  EntityOf(entity).DropLane(it->second.reader.id, lane, epoch, timeline_->now(),
                            TellReaders(entity));
  Push(entity);
}

void SimBroker::ForgetLink(Session& session, uint32_t link) {
  const auto it = session.links.find(link);
  if (!it->second.reads) {
    session.links.erase(it);
    return;
  }
  const std::string entity = it->second.entity;
  readers_.erase(it->second.reader.id);
  EntityOf(entity).RemoveReader(it->second.reader.id, timeline_->now(),
                                TellReaders(entity));
  session.links.erase(it);
  Push(entity);
}

void SimBroker::CloseLink(Session& session, uint32_t link) {
  const auto it = session.links.find(link);
  if (it == session.links.end()) return;
  if (it->second.reads) {
    session.Down(To<SimReceiver>(
        link, [](SimReceiver& r) { r.BeClosed(absl::OkStatus()); }));
    ForgetLink(session, link);
    return;
  }
  ForgetLink(session, link);
  session.Down(
      To<SimSender>(link, [](SimSender& s) { s.BeClosed(absl::OkStatus()); }));
}

void SimBroker::Ask(Session& session, uint64_t cookie,
                    const driver::Request& request) {
  using Op = driver::Request::Op;
  driver::Reply reply;
  reply.cookie = cookie;
  switch (request.op) {
    case Op::kPing:
    case Op::kCreateEntity:
      break;
    case Op::kDepth:
    case Op::kFixStart:
      reply.count = EntityOf(request.queue.entity).undrained();
      break;
    case Op::kUndrained:
      if (traits_.tells_undrained) {
        reply.count = EntityOf(request.queue.entity).undrained();
        break;
      }
      [[fallthrough]];
    default:
      reply.status = absl::UnimplementedError("not on this broker");
      break;
  }
  ledger_->Note(absl::StrCat(traits_.name, " is asked ",
                             static_cast<int>(request.op), ", answers ",
                             reply.count));
  session.Down([reply](SimConnection& c) { c.BeAnswered(reply); });
}

// ---- Delivering.

bool SimBroker::MayDeliver() const {
  return faults_.alive && !faults_.paused && faults_.hoards <= timeline_->now();
}

void SimBroker::Push(const std::string& name) {
  if (!MayDeliver()) return;
  Entity& entity = EntityOf(name);
  const absl::Time now = timeline_->now();
  entity.Expire(now, TellReaders(name));
  for (const auto& [number, reader] : entity.readers()) {
    const auto [session, link] = readers_.at(number);
    while (reader->HasCredit()) {
      std::vector<driver::Inbound> deliveries;
      driver::Inbound one;
      while (deliveries.size() < kDeliveries && reader->HasCredit() &&
             entity.Take(*reader, now, &one)) {
        deliveries.push_back(std::move(one));
        one = {};
      }
      if (deliveries.empty()) break;
      session->Down(To<SimReceiver>(
          link, [deliveries](SimReceiver& r) { r.BeGiven(deliveries); }));
    }
  }
  Arm(name, entity);
}

void SimBroker::PushAll() {
  std::vector<std::string> names;
  for (const auto& [name, entity] : entities_) names.push_back(name);
  for (const std::string& name : names) Push(name);
}

void SimBroker::Arm(const std::string& name, Entity& entity) {
  const absl::Time next = entity.next(timeline_->now());
  absl::Time& armed =
      armed_.try_emplace(name, absl::InfinitePast()).first->second;
  const bool is_armed = armed > timeline_->now() && armed <= next;
  if (next == absl::InfiniteFuture() || is_armed) return;
  armed = next;
  timeline_->At(next, [this, name, next] {
    absl::Time& at = armed_[name];
    if (at == next) at = absl::InfinitePast();
    Push(name);
  });
}

}  // namespace tieline::sim
