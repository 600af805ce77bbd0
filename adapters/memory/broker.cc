#include "adapters/memory/broker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace memory {
namespace {

constexpr std::string_view kDeadLetters = "/$deadletterqueue";
constexpr std::string_view kSubscriptions = "/subscriptions/";

struct Brokers {
  Mutex mu;
  std::map<std::string, std::shared_ptr<LocalBroker>, std::less<>> by_name
      ABSL_GUARDED_BY(mu);
};

Brokers& TheBrokers() {
  static auto* brokers = new Brokers;  // outlives every static destructor
  return *brokers;
}

absl::Status NoEntity(std::string_view broker, std::string_view name) {
  return MakeStatus(absl::StatusCode::kNotFound,
                    "memory://{}: there is no entity \"{}\"; create it, or "
                    "check its name",
                    broker, name);
}

absl::Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > 260 || name.front() == '/' ||
      name.back() == '/') {
    return InvalidArgument(
        "entity \"{}\": expected 1 to 260 bytes that neither begin nor end "
        "with a slash",
        name);
  }
  return absl::OkStatus();
}

}  // namespace

std::shared_ptr<LocalBroker> BrokerNamed(std::string_view name) {
  Brokers& brokers = TheBrokers();
  MutexLock lock(&brokers.mu);
  auto it = brokers.by_name.find(name);
  if (it == brokers.by_name.end()) {
    it =
        brokers.by_name
            .emplace(std::string(name), std::make_shared<LocalBroker>(
                                            std::string(name), BrokerOptions()))
            .first;
  }
  return it->second;
}

absl::StatusOr<std::shared_ptr<Broker>> Broker::Create(std::string_view name,
                                                       BrokerOptions options) {
  TIELINE_RETURN_IF_ERROR(options.defaults.Validate());
  auto broker =
      std::make_shared<LocalBroker>(std::string(name), std::move(options));
  Brokers& brokers = TheBrokers();
  MutexLock lock(&brokers.mu);
  if (!brokers.by_name.emplace(std::string(name), broker).second) {
    return MakeStatus(absl::StatusCode::kAlreadyExists,
                      "memory://{}: the process has a broker of that name",
                      name);
  }
  return std::shared_ptr<Broker>(std::move(broker));
}

std::shared_ptr<Broker> Broker::Named(std::string_view name) {
  return BrokerNamed(name);
}

void Broker::Remove(std::string_view name) {
  Brokers& brokers = TheBrokers();
  MutexLock lock(&brokers.mu);
  auto it = brokers.by_name.find(name);
  if (it != brokers.by_name.end()) brokers.by_name.erase(it);
}

LocalBroker::LocalBroker(std::string name, BrokerOptions options)
    : name_(std::move(name)), options_(std::move(options)) {}

absl::Status LocalBroker::CreateQueue(std::string_view name,
                                      const EntityOptions& options) {
  TIELINE_RETURN_IF_ERROR(CheckName(name));
  TIELINE_RETURN_IF_ERROR(options.Validate());
  MutexLock lock(&mu_);
  Entity& place = entities_[LowerCase(name)];
  if (place.queue != nullptr || place.topic != nullptr) {
    return MakeStatus(absl::StatusCode::kAlreadyExists,
                      "memory://{}: there is an entity \"{}\"", name_, name);
  }
  place.queue = std::make_shared<Queue>(std::string(name), "queue", options,
                                        options_.clock);
  return absl::OkStatus();
}

absl::Status LocalBroker::CreateTopic(std::string_view name) {
  TIELINE_RETURN_IF_ERROR(CheckName(name));
  MutexLock lock(&mu_);
  Entity& place = entities_[LowerCase(name)];
  if (place.queue != nullptr || place.topic != nullptr) {
    return MakeStatus(absl::StatusCode::kAlreadyExists,
                      "memory://{}: there is an entity \"{}\"", name_, name);
  }
  place.topic = std::make_shared<Topic>(std::string(name));
  return absl::OkStatus();
}

absl::Status LocalBroker::CreateSubscription(std::string_view topic,
                                             std::string_view name,
                                             const EntityOptions& options,
                                             Rule rule) {
  TIELINE_RETURN_IF_ERROR(CheckName(name));
  TIELINE_RETURN_IF_ERROR(options.Validate());
  MutexLock lock(&mu_);
  auto it = entities_.find(LowerCase(topic));
  if (it == entities_.end() || it->second.topic == nullptr) {
    return NoEntity(name_, topic);
  }
  Topic& parent = *it->second.topic;
  if (parent.Find(name) != nullptr) {
    return MakeStatus(absl::StatusCode::kAlreadyExists,
                      "memory://{}/{}: there is a subscription \"{}\"", name_,
                      topic, name);
  }
  auto queue = std::make_shared<Queue>(
      fmt::format("{}/Subscriptions/{}", parent.name(), name), "subscription",
      options, options_.clock);
  parent.Add({std::string(name), std::move(rule), std::move(queue)});
  return absl::OkStatus();
}

absl::StatusOr<Entity> LocalBroker::FindLocked(std::string_view name) const {
  std::string lower = LowerCase(name);
  const bool dead_letters = lower.ends_with(kDeadLetters);
  if (dead_letters) lower.resize(lower.size() - kDeadLetters.size());
  Entity found;
  if (auto it = entities_.find(lower); it != entities_.end()) {
    found = it->second;
  } else if (size_t at = lower.find(kSubscriptions); at != lower.npos) {
    auto topic = entities_.find(lower.substr(0, at));
    if (topic != entities_.end() && topic->second.topic != nullptr) {
      found.queue = topic->second.topic->Find(
          std::string_view(lower).substr(at + kSubscriptions.size()));
    }
  }
  if (dead_letters && found.queue != nullptr) {
    return Entity{found.queue->DeadLetters(), nullptr};
  }
  if (dead_letters || (found.queue == nullptr && found.topic == nullptr)) {
    return NoEntity(name_, name);
  }
  return found;
}

absl::StatusOr<Entity> LocalBroker::Resolve(std::string_view name,
                                            const EntityOptions* create) {
  TIELINE_RETURN_IF_ERROR(CheckName(name));
  MutexLock lock(&mu_);
  absl::StatusOr<Entity> found = FindLocked(name);
  if (found.ok() || create == nullptr) return found;
  std::string lower = LowerCase(name);
  const bool dead_letters = lower.ends_with(kDeadLetters);
  if (dead_letters) name.remove_suffix(kDeadLetters.size());
  if (lower.find(kSubscriptions) != lower.npos) return found;
  Entity& place = entities_[LowerCase(name)];
  if (place.topic != nullptr) return found;
  place.queue = std::make_shared<Queue>(std::string(name), "queue", *create,
                                        options_.clock);
  return dead_letters ? Entity{place.queue->DeadLetters(), nullptr} : place;
}

absl::Status LocalBroker::Delete(std::string_view name) {
  {
    MutexLock lock(&mu_);
    const std::string lower = LowerCase(name);
    if (auto it = entities_.find(lower); it != entities_.end()) {
      const Entity& entity = it->second;
      if (entity.queue != nullptr) entity.queue->MarkDeleted();
      if (entity.topic != nullptr) {
        entity.topic->MarkDeleted();
        const auto list = entity.topic->subscriptions();
        for (const auto& s : *list) s.queue->MarkDeleted();
      }
      entities_.erase(it);
    } else {
      const size_t at = lower.find(kSubscriptions);
      if (at == lower.npos) return NoEntity(name_, name);
      auto topic = entities_.find(lower.substr(0, at));
      if (topic == entities_.end() || topic->second.topic == nullptr ||
          !topic->second.topic->Remove(
              std::string_view(lower).substr(at + kSubscriptions.size()))) {
        return NoEntity(name_, name);
      }
    }
  }
  RingAll();
  return absl::OkStatus();
}

std::vector<EntityState> LocalBroker::Entities() const {
  std::vector<EntityState> states;
  const auto add = [&](const std::shared_ptr<Queue>& queue) {
    states.push_back(queue->State());
    if (auto dead = queue->FindDeadLetters()) states.push_back(dead->State());
  };
  MutexLock lock(&mu_);
  for (const auto& [name, entity] : entities_) {
    if (entity.queue != nullptr) {
      add(entity.queue);
      continue;
    }
    EntityState state;
    state.name = entity.topic->name();
    state.kind = "topic";
    states.push_back(std::move(state));
    const auto list = entity.topic->subscriptions();
    for (const auto& s : *list) add(s.queue);
  }
  return states;
}

absl::StatusOr<EntityState> LocalBroker::Inspect(std::string_view name) const {
  MutexLock lock(&mu_);
  TIELINE_ASSIGN_OR_RETURN(Entity entity, FindLocked(name));
  if (entity.queue != nullptr) return entity.queue->State();
  EntityState state;
  state.name = entity.topic->name();
  state.kind = "topic";
  return state;
}

absl::Status LocalBroker::FailSends(std::string_view entity, SendFault fault,
                                    size_t count, absl::Duration wait) {
  MutexLock lock(&mu_);
  TIELINE_ASSIGN_OR_RETURN(Entity found, FindLocked(entity));
  if (found.queue == nullptr) return NoEntity(name_, entity);
  found.queue->Fail(fault, count, wait);
  return absl::OkStatus();
}

absl::Status LocalBroker::Admit(const AuthConfig& auth) const {
  if (refuse_) {
    return MakeStatus(absl::StatusCode::kUnavailable,
                      "memory://{}: connections are refused", name_);
  }
  if (!options_.user.empty() &&
      (auth.user != options_.user || !(auth.password == options_.password))) {
    return MakeStatus(absl::StatusCode::kUnauthenticated,
                      "memory://{}: wrong user or password", name_);
  }
  return absl::OkStatus();
}

void LocalBroker::Join(std::shared_ptr<Doorbell> bell) {
  MutexLock lock(&mu_);
  connections_.push_back(std::move(bell));
}

void LocalBroker::Leave(const std::shared_ptr<Doorbell>& bell) {
  MutexLock lock(&mu_);
  auto it = std::find(connections_.begin(), connections_.end(), bell);
  if (it == connections_.end()) return;
  *it = std::move(connections_.back());
  connections_.pop_back();
}

void LocalBroker::DropConnections() {
  std::vector<std::shared_ptr<Doorbell>> all;
  {
    MutexLock lock(&mu_);
    all = connections_;
  }
  for (const auto& bell : all) bell->Drop();
}

void LocalBroker::RingAll() {
  std::vector<std::shared_ptr<Doorbell>> all;
  {
    MutexLock lock(&mu_);
    all = connections_;
  }
  for (const auto& bell : all) bell->Ring();
}

void LocalBroker::Stall(bool stall) {
  stalled_.store(stall, std::memory_order_release);
  if (!stall) RingAll();
}

}  // namespace memory
}  // namespace tieline::inline v0
