#include "tests/engine/scripted.h"

#include <algorithm>
#include <utility>

namespace tieline::inline v0 {
namespace scripted {

using driver::Fate;
using driver::Inbound;
using driver::Lane;
using driver::LaneEvent;
using driver::LaneState;
using driver::Outbound;
using driver::Outcome;
using driver::Progress;
using driver::Settled;
using driver::Settlement;

namespace {

Mutex registry_mu;

std::map<std::string, std::shared_ptr<Broker>>& Registry() {
  static auto* brokers = new std::map<std::string, std::shared_ptr<Broker>>();
  return *brokers;
}

}  // namespace

class ScriptedHandle {
 public:
  virtual ~ScriptedHandle() = default;
  // True when something was done.
  virtual bool Step(absl::Time now) = 0;
  virtual void Lose() = 0;
};

class ScriptedConnection final : public driver::Connection {
 public:
  ScriptedConnection(std::shared_ptr<Broker> broker,
                     driver::ConnectionSink* sink, driver::Waker* waker)
      : broker_(std::move(broker)), sink_(sink), waker_(waker) {
    MutexLock lock(&broker_->mu_);
    broker_->connections_.insert(this);
    drops_ = broker_->drops_;
    waker_->Wake();
  }
  ~ScriptedConnection() override {
    MutexLock lock(&broker_->mu_);
    broker_->connections_.erase(this);
  }

  driver::PollSet pollable() const override { return {}; }
  Progress Run(absl::Time now) override;
  absl::StatusOr<std::unique_ptr<driver::SenderDriver>> OpenSender(
      const driver::SenderSpec& spec, driver::SenderSink* sink) override;
  absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>> OpenReceiver(
      const driver::ReceiverSpec& spec, driver::ReceiverSink* sink) override;
  void Ask(uint64_t cookie, driver::Request request) override {
    asked_.emplace_back(cookie, std::move(request));
  }
  void Close(absl::Time) override {
    closing_ = true;
    waker_->Wake();
  }

  void Join(ScriptedHandle* handle) {
    MutexLock lock(&broker_->mu_);
    handles_.push_back(handle);
    ++broker_->handles_;
  }
  void Leave(ScriptedHandle* handle) {
    MutexLock lock(&broker_->mu_);
    if (std::erase(handles_, handle) > 0) --broker_->handles_;
  }
  void Wake() { waker_->Wake(); }
  Broker& broker() { return *broker_; }

 private:
  friend class Broker;
  const std::shared_ptr<Broker> broker_;
  driver::ConnectionSink* const sink_;
  driver::Waker* const waker_;
  std::vector<ScriptedHandle*> handles_;
  std::vector<std::pair<uint64_t, driver::Request>> asked_;
  uint64_t drops_ = 0;
  bool up_ = false;
  bool over_ = false;
  bool closing_ = false;
};

class ScriptedSender final : public driver::SenderDriver, ScriptedHandle {
 public:
  ScriptedSender(ScriptedConnection* connection, std::string entity,
                 driver::SenderSink* sink)
      : connection_(connection), entity_(std::move(entity)), sink_(sink) {
    connection_->Join(this);
  }
  ~ScriptedSender() override { connection_->Leave(this); }

  size_t Submit(std::span<const Outbound> batch, bool) override {
    const size_t room = connection_->broker().room;
    if (room > 0) {
      const size_t held = submitted_.size() + held_.size();
      const size_t taken = std::min(batch.size(), room - std::min(room, held));
      blocked_ = taken < batch.size();
      batch = batch.first(taken);
    }
    for (const Outbound& one : batch) {
      submitted_.emplace_back(one.cookie, *one.message);
    }
    MutexLock lock(&connection_->broker().mu_);
    connection_->broker().submits_ += batch.size();
    connection_->Wake();
    return batch.size();
  }
  void Close() override {
    closing_ = true;
    connection_->Wake();
  }

  bool Step(absl::Time) override {
    if (closed_) return false;
    Broker& broker = connection_->broker();
    if (!open_) {
      auto it = broker.refuse.find(entity_);
      if (it != broker.refuse.end()) {
        closed_ = true;
        sink_->OnClosed(it->second);
        return true;
      }
      open_ = true;
      sink_->OnOpened(broker.capabilities);
      return true;
    }
    const bool worked = Answer(broker);
    if (closing_) {
      closed_ = true;
      Unknown();
      sink_->OnClosed(absl::OkStatus());
      return true;
    }
    return worked;
  }
  void Lose() override { Unknown(); }

 private:
  bool Answer(Broker& broker) {
    std::vector<Outcome> outcomes;
    {
      MutexLock lock(&broker.mu_);
      if (version_ != broker.script_version_) {
        version_ = broker.script_version_;
        submitted_.insert(submitted_.begin(),
                          std::make_move_iterator(held_.begin()),
                          std::make_move_iterator(held_.end()));
        held_.clear();
      }
      for (auto& [cookie, message] : submitted_) {
        std::optional<Outcome> outcome = Outcome{};
        outcome->fate = Fate::kAccepted;
        if (broker.script_) outcome = broker.script_(message);
        if (!outcome.has_value()) {
          held_.emplace_back(cookie, std::move(message));
          continue;
        }
        outcome->cookie = cookie;
        if (outcome->fate == Fate::kAccepted) {
          broker.accepted_[entity_].push_back(message);
        }
        outcomes.push_back(*std::move(outcome));
      }
      submitted_.clear();
    }
    if (outcomes.empty()) return false;
    sink_->OnOutcomes(outcomes);
    if (std::exchange(blocked_, false)) sink_->OnSendable();
    return true;
  }

  void Unknown() {
    std::vector<Outcome> outcomes;
    for (auto* list : {&held_, &submitted_}) {
      for (auto& [cookie, message] : *list) {
        Outcome outcome;
        outcome.cookie = cookie;
        outcome.why = absl::UnavailableError("the connection was lost");
        outcomes.push_back(std::move(outcome));
      }
      list->clear();
    }
    if (!outcomes.empty()) sink_->OnOutcomes(outcomes);
  }

  ScriptedConnection* const connection_;
  const std::string entity_;
  driver::SenderSink* const sink_;
  std::vector<std::pair<uint64_t, Message>> submitted_;
  std::vector<std::pair<uint64_t, Message>> held_;
  uint64_t version_ = 0;
  bool blocked_ = false;
  bool open_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

class ScriptedReceiver final : public driver::ReceiverDriver, ScriptedHandle {
 public:
  ScriptedReceiver(ScriptedConnection* connection, std::string entity,
                   driver::ReceiverSink* sink)
      : connection_(connection), entity_(std::move(entity)), sink_(sink) {
    connection_->Join(this);
  }
  ~ScriptedReceiver() override {
    GiveBack();
    connection_->Leave(this);
  }

  void Grant(Lane, uint32_t messages, uint64_t bytes) override {
    messages_ += messages;
    bytes_ += bytes;
    connection_->Wake();
  }
  void Drain() override {
    messages_ = bytes_ = 0;
    drained_ = true;
    connection_->Wake();
  }
  void Settle(std::span<const Settlement> settlements) override {
    for (const Settlement& s : settlements) {
      Settled settled;
      settled.token = s.token;
      settled.verb = s.verb;
      if (s.token.epoch != epoch_ || unsettled_.count(s.token.id) == 0) {
        settled.status = absl::AbortedError("stale");
      } else if (s.verb == driver::Verb::kComplete) {
        unsettled_.erase(s.token.id);
        MutexLock lock(&connection_->broker().mu_);
        --connection_->broker().unsettled_[entity_];
      }
      settled_.push_back(std::move(settled));
    }
    connection_->Wake();
  }
  void DropLane(Lane, uint32_t epoch) override {
    if (epoch == epoch_) drop_lane_ = true;
    connection_->Wake();
  }
  void Close() override {
    closing_ = true;
    connection_->Wake();
  }

  bool Step(absl::Time now) override {
    if (closed_) return false;
    if (!open_) return Open();
    bool worked = StepLane(now);
    if (!settled_.empty()) {
      const std::vector<Settled> settled = std::exchange(settled_, {});
      sink_->OnSettled(settled);
      worked = true;
    }
    if (std::exchange(drained_, false)) {
      sink_->OnDrained();
      worked = true;
    }
    if (closing_) {
      closed_ = true;
      GiveBack();
      sink_->OnClosed(absl::OkStatus());
      return true;
    }
    return Deliver() || worked;
  }
  void Lose() override { GiveBack(); }

 private:
  bool Open() {
    Broker& broker = connection_->broker();
    auto it = broker.refuse.find(entity_);
    if (it != broker.refuse.end()) {
      closed_ = true;
      sink_->OnClosed(it->second);
      return true;
    }
    open_ = true;
    sink_->OnOpened(broker.capabilities);
    if (!broker.announce_lanes) epoch_ = 1;
    return true;
  }

  void Tell(LaneState state, absl::Time until) {
    LaneEvent event;
    event.epoch = epoch_;
    event.state = state;
    event.name = "0";
    event.until = until;
    sink_->OnLane(event);
  }

  bool StepLane(absl::Time now) {
    Broker& broker = connection_->broker();
    if (!broker.announce_lanes) return false;
    uint32_t epoch = 0;
    uint32_t closing = 0;
    absl::Duration grace;
    {
      MutexLock lock(&broker.mu_);
      epoch = broker.epoch_;
      closing = broker.closing_epoch_;
      grace = broker.grace_;
    }
    if (drop_lane_) {
      drop_lane_ = false;
      lane_open_ = false;
      GiveBack();
      {
        MutexLock lock(&broker.mu_);
        ++broker.lanes_dropped_;
      }
      Tell(LaneState::kClosed, now);
      return true;
    }
    if (lane_open_ && closing == epoch_ && told_closing_ != epoch_) {
      told_closing_ = epoch_;
      Tell(LaneState::kClosing, now + grace);
      return true;
    }
    if (!lane_open_ && epoch != epoch_ && closing != epoch) {
      epoch_ = epoch;
      lane_open_ = true;
      Tell(LaneState::kOpened, absl::InfiniteFuture());
      return true;
    }
    return false;
  }

  bool Deliver() {
    Broker& broker = connection_->broker();
    if (broker.announce_lanes && (!lane_open_ || told_closing_ == epoch_)) {
      return false;
    }
    std::vector<Inbound> inbound;
    {
      MutexLock lock(&broker.mu_);
      std::deque<Message>& queue = broker.queues_[entity_];
      while (!queue.empty() && messages_ > 0 && bytes_ > 0) {
        Inbound one;
        one.token = {Lane{0}, epoch_, next_id_++};
        one.message = std::move(queue.front());
        queue.pop_front();
        unsettled_[one.token.id] = one.message;
        ++broker.unsettled_[entity_];
        --messages_;
        bytes_ -= std::min<uint64_t>(bytes_, one.message.body_view().size());
        inbound.push_back(std::move(one));
      }
    }
    if (inbound.empty()) return false;
    sink_->OnDeliveries(inbound);
    return true;
  }

  // What is unsettled is the broker's again, in its old order.
  void GiveBack() {
    Broker& broker = connection_->broker();
    MutexLock lock(&broker.mu_);
    std::deque<Message>& queue = broker.queues_[entity_];
    for (auto it = unsettled_.rbegin(); it != unsettled_.rend(); ++it) {
      queue.push_front(std::move(it->second));
    }
    broker.unsettled_[entity_] -= unsettled_.size();
    unsettled_.clear();
  }

  ScriptedConnection* const connection_;
  const std::string entity_;
  driver::ReceiverSink* const sink_;
  std::map<uint64_t, Message> unsettled_;
  std::vector<Settled> settled_;
  uint64_t next_id_ = 1;
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
  uint32_t epoch_ = 0;
  uint32_t told_closing_ = 0;
  bool lane_open_ = false;
  bool drop_lane_ = false;
  bool drained_ = false;
  bool open_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

absl::StatusOr<std::unique_ptr<driver::SenderDriver>>
ScriptedConnection::OpenSender(const driver::SenderSpec& spec,
                               driver::SenderSink* sink) {
  waker_->Wake();
  return std::make_unique<ScriptedSender>(this, spec.queue.entity, sink);
}

absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>>
ScriptedConnection::OpenReceiver(const driver::ReceiverSpec& spec,
                                 driver::ReceiverSink* sink) {
  waker_->Wake();
  return std::make_unique<ScriptedReceiver>(this, spec.queue.entity, sink);
}

Progress ScriptedConnection::Run(absl::Time now) {
  if (over_) return {};
  Progress progress;
  if (!std::exchange(up_, true)) {
    sink_->OnUp(broker_->capabilities);
    progress.worked = true;
  }
  bool dropped = false;
  {
    MutexLock lock(&broker_->mu_);
    dropped = drops_ != broker_->drops_;
  }
  for (size_t i = 0; i < handles_.size(); ++i) {
    if (dropped || closing_) {
      handles_[i]->Lose();
    } else {
      progress.worked |= handles_[i]->Step(now);
    }
  }
  if (dropped || closing_) {
    over_ = true;
    sink_->OnLost(closing_ ? absl::OkStatus()
                           : absl::UnavailableError("dropped by the test"));
    return {true};
  }
  for (auto& [cookie, request] : std::exchange(asked_, {})) {
    if (request.op != driver::Request::Op::kPing) continue;  // never answered
    driver::Reply reply;
    reply.cookie = cookie;
    sink_->OnReply(std::move(reply));
    progress.worked = true;
  }
  if (broker_->rests > absl::ZeroDuration()) {
    progress.next = progress.rests_until = now + broker_->rests;
  }
  return progress;
}

namespace {

class ScriptedDriver final : public driver::Driver {
 public:
  Capabilities capabilities() const override { return {}; }
  absl::Status Check(const BrokerConfig&,
                     const std::vector<QueueConfig>&) const override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<driver::Connection>> Connect(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, const Clock*, absl::Time) override {
    MutexLock lock(&registry_mu);
    return std::make_unique<ScriptedConnection>(
        Registry().at(broker.url.hosts[0].host), sink, waker);
  }
};

}  // namespace

std::shared_ptr<Broker> Broker::Create(const std::string& name) {
  driver::Register("scripted", std::make_shared<ScriptedDriver>());
  auto broker = std::make_shared<Broker>();
  broker->capabilities.add(Capability::kOrdering);
  MutexLock lock(&registry_mu);
  Registry()[name] = broker;
  return broker;
}

void Broker::WakeAll() {
  for (ScriptedConnection* connection : connections_) connection->Wake();
}

void Broker::SetScript(Script script) {
  MutexLock lock(&mu_);
  script_ = std::move(script);
}

void Broker::AskAgain() {
  MutexLock lock(&mu_);
  ++script_version_;
  WakeAll();
}

void Broker::Put(const std::string& entity, Message message) {
  MutexLock lock(&mu_);
  queues_[entity].push_back(std::move(message));
  WakeAll();
}

void Broker::DropConnections() {
  MutexLock lock(&mu_);
  ++drops_;
  WakeAll();
}

void Broker::CloseLane(absl::Duration grace) {
  MutexLock lock(&mu_);
  closing_epoch_ = epoch_;
  grace_ = grace;
  WakeAll();
}

void Broker::OpenLane() {
  MutexLock lock(&mu_);
  ++epoch_;
  WakeAll();
}

std::vector<Message> Broker::Accepted(const std::string& entity) const {
  MutexLock lock(&mu_);
  auto it = accepted_.find(entity);
  return it == accepted_.end() ? std::vector<Message>() : it->second;
}

size_t Broker::Depth(const std::string& entity) const {
  MutexLock lock(&mu_);
  size_t depth = 0;
  if (auto it = queues_.find(entity); it != queues_.end()) {
    depth += it->second.size();
  }
  if (auto it = unsettled_.find(entity); it != unsettled_.end()) {
    depth += it->second;
  }
  return depth;
}

uint64_t Broker::submits() const {
  MutexLock lock(&mu_);
  return submits_;
}

uint64_t Broker::lanes_dropped() const {
  MutexLock lock(&mu_);
  return lanes_dropped_;
}

int Broker::handles() const {
  MutexLock lock(&mu_);
  return handles_;
}

}  // namespace scripted
}  // namespace tieline::inline v0
