#include "tieline/driver/driver.h"

#include <memory>
#include <string>

#include "adapters/memory/connection.h"
#include "lib/base/status.h"
#include "tieline/memory.h"

namespace tieline::inline v0 {
namespace memory {

Capabilities MemoryCapabilities() {
  Capabilities c;
  c.add(Capability::kOrdering)
      .add(Capability::kOrderedPipelining)
      .add(Capability::kBrokerRedelivery)
      .add(Capability::kDeadLetter)
      .add(Capability::kAttemptCount)
      .add(Capability::kDefer)
      .add(Capability::kSchedule)
      .add(Capability::kCancelScheduled)
      .add(Capability::kTtl)
      .add(Capability::kSessions)
      .add(Capability::kLockRenewal)
      .add(Capability::kPeek)
      .add(Capability::kDepth)
      .add(Capability::kListEntities)
      .add(Capability::kCreateEntity)
      .add(Capability::kSingleSettle);
  c.drain_proof = DrainProof::kExact;
  return c;
}

Capabilities LinkCapabilities(const EntityOptions& options) {
  Capabilities c = MemoryCapabilities();
  c.max_message_bytes = options.max_message_bytes;
  if (options.duplicate_window > absl::ZeroDuration()) {
    c.add(Capability::kDuplicateDetection);
    c.duplicate_window = options.duplicate_window;
  }
  return c;
}

namespace {

class MemoryDriver final : public driver::Driver {
 public:
  bool runs_inline() const override { return true; }

  Capabilities capabilities() const override { return MemoryCapabilities(); }

  absl::Status Check(const BrokerConfig& broker,
                     const std::vector<QueueConfig>& queues) const override {
    TIELINE_RETURN_IF_ERROR(NameOf(broker).status());
    if (!broker.settings.empty()) {
      return InvalidArgument(
          "broker \"{}\": unknown setting \"{}\"; memory brokers have none",
          broker.name, broker.settings.begin()->first);
    }
    for (const QueueConfig& queue : queues) {
      TIELINE_RETURN_IF_ERROR(OptionsFrom(queue, {}).status());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<driver::Connection>> Connect(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, const Clock* /*clock*/,
      absl::Time /*now*/) override {
    TIELINE_ASSIGN_OR_RETURN(std::string name, NameOf(broker));
    return std::make_unique<MemoryConnection>(BrokerNamed(name), broker, sink,
                                              waker);
  }

 private:
  static absl::StatusOr<std::string> NameOf(const BrokerConfig& broker) {
    if (broker.url.hosts.size() != 1 || broker.url.hosts[0].host.empty() ||
        broker.url.hosts[0].port != 0) {
      return InvalidArgument(
          "broker \"{}\": expected memory://NAME, with one name and no port",
          broker.name);
    }
    return broker.url.hosts[0].host;
  }
};

}  // namespace

void Register() {
  driver::Register("memory", std::make_shared<MemoryDriver>());
}

}  // namespace memory
}  // namespace tieline::inline v0
