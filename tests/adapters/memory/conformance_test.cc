// The memory backend under the conformance suite, on a manual clock.
#include <memory>
#include <string>

#include "adapters/conformance/harness.h"
#include "tieline/memory.h"

namespace tieline {
namespace {

class MemoryHarness final : public conformance::Harness {
 public:
  MemoryHarness() {
    memory::Register();
    memory::BrokerOptions options;
    options.clock = &clock_;
    options.auto_create = false;
    options.user = "tester";
    options.password = Secret("right");
    broker_ = *memory::Broker::Create("conformance", options);
    driver_ = driver::Find("memory");
  }
  ~MemoryHarness() override { memory::Broker::Remove("conformance"); }

  driver::Driver& driver() override { return *driver_; }

  BrokerConfig broker() override {
    BrokerConfig config;
    config.name = "memory";
    config.url = *Url::Parse("memory://conformance");
    config.auth.user = "tester";
    config.auth.password = Secret("right");
    return config;
  }

  absl::StatusOr<QueueConfig> NewQueue(
      const conformance::Shape& shape) override {
    QueueConfig queue;
    queue.name = queue.entity = "queue-" + std::to_string(++queues_);
    memory::EntityOptions options;
    if (shape.lock > absl::ZeroDuration()) options.lock_duration = shape.lock;
    options.max_delivery_count = shape.max_deliveries;
    options.sessions = shape.sessions;
    options.default_ttl = shape.ttl;
    options.dead_letter_expired = shape.dead_letter_expired;
    options.duplicate_window = shape.duplicate_window;
    if (shape.max_depth > 0) options.max_messages = shape.max_depth;
    options.max_message_bytes = 4 << 20;
    if (shape.partitions > 1) {
      return absl::UnimplementedError("memory queues have no partitions");
    }
    absl::Status made = broker_->CreateQueue(queue.entity, options);
    if (!made.ok()) return made;
    return queue;
  }

  conformance::Limits limits() override {
    conformance::Limits limits;
    limits.too_large_body = 5 << 20;
    limits.amends_on_abandon = true;
    limits.amends_on_dead_letter = true;
    limits.quiet = absl::Milliseconds(5);
    return limits;
  }

  Clock* clock() override { return &clock_; }

  absl::StatusOr<QueueConfig> UnknownQueue() override {
    QueueConfig queue;
    queue.name = queue.entity = "never-made";
    return queue;
  }

  absl::StatusOr<QueueConfig> DeadLetters(const QueueConfig& of) override {
    QueueConfig queue;
    queue.name = queue.entity = of.entity + "/$DeadLetterQueue";
    return queue;
  }

  absl::StatusOr<BrokerConfig> WrongCredentials() override {
    BrokerConfig config = broker();
    config.auth.password = Secret("not-the-s3cret");
    return config;
  }

  absl::StatusOr<BrokerConfig> Unreachable() override {
    broker_->RefuseConnections(true);
    return broker();
  }

  absl::Status Cut() override {
    broker_->DropConnections();
    return absl::OkStatus();
  }
  absl::Status Stall() override {
    broker_->Stall(true);
    return absl::OkStatus();
  }
  absl::Status Resume() override {
    broker_->Stall(false);
    return absl::OkStatus();
  }
  absl::Status Advance(absl::Duration by) override {
    clock_.Advance(by);
    return absl::OkStatus();
  }

  void AfterBehaviour() override {
    broker_->RefuseConnections(false);
    broker_->Stall(false);
    for (const memory::EntityState& state : broker_->Entities()) {
      if (state.name.find('/') == state.name.npos) {
        broker_->Delete(state.name).IgnoreError();
      }
    }
  }

 private:
  ManualClock clock_;
  std::shared_ptr<memory::Broker> broker_;
  std::shared_ptr<driver::Driver> driver_;
  int queues_ = 0;
};

TIELINE_CONFORMANCE("memory", MemoryHarness);

}  // namespace
}  // namespace tieline
