// The memory backend: brokers that live in this process, for tests, for
// `memory://name/queue` URLs, and as the engine under a local broker.
//
// It is the reference for what a queue means: peek-lock with expiry, abandon,
// release, dead-letter, defer, schedule, time to live, duplicate detection,
// sessions, topics with subscriptions, sequence numbers and peek, as Azure
// Service Bus defines them, all on an injected clock. Times are ages on the
// clock's steady side: a jump of the calendar moves nothing.
//
// Names of entities are compared without case. Sub-entities have Service Bus's
// names: "<queue>/$DeadLetterQueue", "<topic>/Subscriptions/<name>",
// "<topic>/Subscriptions/<name>/$DeadLetterQueue".
#ifndef TIELINE_MEMORY_H_
#define TIELINE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/clock.h"
#include "tieline/message.h"
#include "tieline/secret.h"

namespace tieline::inline v0 {
namespace memory {

// Registers the driver for "memory://" URLs, for the process. Any thread; again
// is ignored.
void Register();

struct EntityOptions {
  // How long a delivery (or a session) is locked for its receiver. Infinite:
  // until it settles or goes, which a broker in the same process always learns.
  absl::Duration lock_duration = absl::InfiniteDuration();
  // Deliveries after which an abandoned message is dead-lettered; 0: never.
  uint32_t max_delivery_count = 10;
  // Every message needs a key, and is received through its session.
  bool sessions = false;
  // Upper bound of every message's time to live.
  absl::Duration default_ttl = absl::InfiniteDuration();
  // Expired messages go to the dead-letter queue instead of nowhere.
  bool dead_letter_expired = false;
  // A second message with an id seen within this time is accepted and dropped;
  // zero: off.
  absl::Duration duplicate_window = absl::ZeroDuration();
  // Messages that the entity holds, in whatever state; then sends are not
  // taken.
  size_t max_messages = size_t{1} << 22;
  // Larger messages (Message::size_estimate) are rejected; 0: no limit.
  size_t max_message_bytes = 0;

  // kInvalidArgument names the field.
  absl::Status Validate() const;
};

struct BrokerOptions {
  // Outlives the broker and its connections.
  Clock* clock = Clock::System();
  // Makes a queue of `defaults` when an unknown name is used.
  bool auto_create = true;
  EntityOptions defaults;
  // When not empty, connections must name them.
  std::string user;
  Secret password;
};

// What an entity holds now.
struct EntityState {
  std::string name;
  std::string kind;  // "queue", "topic", "subscription"
  size_t active = 0;
  size_t locked = 0;
  size_t deferred = 0;
  size_t scheduled = 0;
  size_t receivers = 0;
  size_t depth() const { return active + locked + deferred + scheduled; }
};

// What becomes of a send, when a fault was asked for.
enum class SendFault : uint8_t {
  kNotTaken,        // refused for now, certainly not there
  kRejected,        // refused for good
  kBusy,            // not taken, with a wait to keep
  kLoseOutcome,     // not taken, and the answer never comes
  kAcceptThenLose,  // taken, and the answer never comes
};

// One broker. Every call from any thread.
class Broker : public std::enable_shared_from_this<Broker> {
 public:
  // Decides for a subscription whether it gets a message. Called by senders'
  // threads, also at once; must be cheap, and must not call the broker.
  using Rule = std::function<bool(const Message&)>;

  // A broker that URLs reach as memory://NAME. kAlreadyExists when the process
  // has one. It stays until Remove.
  static absl::StatusOr<std::shared_ptr<Broker>> Create(
      std::string_view name, BrokerOptions options = {});
  // The broker of that name; made with default options when there is none.
  static std::shared_ptr<Broker> Named(std::string_view name);
  // Forgets the name; open connections keep their broker.
  static void Remove(std::string_view name);

  virtual ~Broker() = default;

  // kAlreadyExists, kInvalidArgument (options, name), kNotFound (topic).
  virtual absl::Status CreateQueue(std::string_view name,
                                   const EntityOptions& options) = 0;
  virtual absl::Status CreateTopic(std::string_view name) = 0;
  // An empty rule takes every message.
  virtual absl::Status CreateSubscription(std::string_view topic,
                                          std::string_view name,
                                          const EntityOptions& options,
                                          Rule rule) = 0;
  // Its links are closed with kNotFound. kNotFound.
  virtual absl::Status Delete(std::string_view name) = 0;

  // By name, dead-letter queues included where they were used.
  virtual std::vector<EntityState> Entities() const = 0;
  virtual absl::StatusOr<EntityState> Inspect(std::string_view name) const = 0;

  // Faults. Each holds until it is changed or used up.
  // New connections are refused.
  virtual void RefuseConnections(bool refuse) = 0;
  // Every connection is lost. What reached the broker stays, answers on their
  // way are lost; deliveries go back to their queues and count as attempts.
  virtual void DropConnections() = 0;
  // Nothing is answered or delivered.
  virtual void Stall(bool stall) = 0;
  // Outcomes of sends and deliveries come this much later (on the broker's
  // clock), in their order. What is on its way is the broker's: a message that
  // nobody was told of is there, one that is being delivered is locked.
  virtual void Delay(absl::Duration delay) = 0;
  // The next `count` sends to the entity fare so. `wait` is told with kBusy.
  // kNotFound.
  virtual absl::Status FailSends(std::string_view entity, SendFault fault,
                                 size_t count,
                                 absl::Duration wait = absl::Seconds(1)) = 0;

 protected:
  Broker() = default;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_MEMORY_H_
