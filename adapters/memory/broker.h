// LocalBroker: the names of one broker and what connections ask of it.
//
// Threads: every function from any thread. Lock order: the list of brokers,
// then a broker's mutex, then a queue's.
#ifndef TIELINE_ADAPTERS_MEMORY_BROKER_H_
#define TIELINE_ADAPTERS_MEMORY_BROKER_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/memory/queue.h"
#include "adapters/memory/topic.h"
#include "tieline/config.h"
#include "tieline/memory.h"

namespace tieline::inline v0 {
namespace memory {

// What a name stands for: one of the two.
struct Entity {
  std::shared_ptr<Queue> queue;
  std::shared_ptr<Topic> topic;

  bool deleted() const {
    return queue != nullptr ? queue->deleted() : topic->deleted();
  }
};

class LocalBroker final : public Broker {
 public:
  LocalBroker(std::string name, BrokerOptions options);

  absl::Status CreateQueue(std::string_view name,
                           const EntityOptions& options) override;
  absl::Status CreateTopic(std::string_view name) override;
  absl::Status CreateSubscription(std::string_view topic, std::string_view name,
                                  const EntityOptions& options,
                                  Rule rule) override;
  absl::Status Delete(std::string_view name) override;
  std::vector<EntityState> Entities() const override;
  absl::StatusOr<EntityState> Inspect(std::string_view name) const override;
  void RefuseConnections(bool refuse) override { refuse_ = refuse; }
  void DropConnections() override;
  void Stall(bool stall) override;
  void Delay(absl::Duration delay) override {
    delay_ = absl::ToInt64Nanoseconds(delay);
  }
  absl::Status FailSends(std::string_view entity, SendFault fault, size_t count,
                         absl::Duration wait) override;

  const std::string& name() const { return name_; }
  absl::Time Steady() const { return options_.clock->Steady(); }
  const BrokerOptions& options() const { return options_; }
  bool stalled() const { return stalled_.load(std::memory_order_acquire); }
  Nanos delay() const { return delay_.load(std::memory_order_relaxed); }

  // kUnavailable when connections are refused, kUnauthenticated.
  absl::Status Admit(const AuthConfig& auth) const;
  void Join(std::shared_ptr<Doorbell> bell);
  void Leave(const std::shared_ptr<Doorbell>& bell);
  // The entity by its whole name; made as a queue with `create`, when that is
  // not null. kNotFound, kInvalidArgument.
  absl::StatusOr<Entity> Resolve(std::string_view name,
                                 const EntityOptions* create);

 private:
  absl::StatusOr<Entity> FindLocked(std::string_view name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RingAll();

  const std::string name_;
  const BrokerOptions options_;
  std::atomic<bool> refuse_ = false;
  std::atomic<bool> stalled_ = false;
  std::atomic<Nanos> delay_ = 0;

  mutable Mutex mu_;
  std::map<std::string, Entity> entities_ ABSL_GUARDED_BY(mu_);  // lower case
  std::vector<std::shared_ptr<Doorbell>> connections_ ABSL_GUARDED_BY(mu_);
};

// The broker that a URL names; made with default options when there is none.
std::shared_ptr<LocalBroker> BrokerNamed(std::string_view name);

// Options of an entity from QueueConfig::settings: lock_duration,
// max_delivery_count, sessions, ttl, dead_letter_expired, duplicate_window,
// max_messages, max_message_bytes. kInvalidArgument names the setting.
absl::StatusOr<EntityOptions> OptionsFrom(const QueueConfig& queue,
                                          EntityOptions options);

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_BROKER_H_
