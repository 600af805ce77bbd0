// The AMQP backend under the conformance suite, on a real Artemis and a real
// RabbitMQ, each behind a proxy that can break the connection.
#include <memory>
#include <string>
#include <utility>

#include "adapters/conformance/harness.h"
#include "tests/adapters/amqp/client.h"
#include "tests/support/brokers.h"
#include "tieline/amqp.h"

namespace tieline {
namespace {

using ::tieline::testing::Broker;

class AmqpHarness : public conformance::Harness {
 public:
  AmqpHarness(std::string kind, std::string start)
      : kind_(std::move(kind)), start_(std::move(start)) {
    amqp::Register();
  }

  absl::Status Start() override {
    broker_ = std::make_unique<Broker>(Broker::Start(start_));
    proxied_ = broker_->MakeProxy();
    driver_ = driver::Find("amqp");
    return absl::OkStatus();
  }
  void AfterBehaviour() override {
    proxied_.proxy->Release();
    proxied_.proxy->Accept();
  }
  driver::Driver& driver() override { return *driver_; }
  BrokerConfig broker() override {
    BrokerConfig config;
    config.name = kind_;
    config.url = *Url::Parse(proxied_.url);
    config.auth.sasl = SaslMechanism::kPlain;
    config.auth.user = broker_->User();
    config.auth.password = Secret(broker_->Password());
    return config;
  }
  absl::StatusOr<BrokerConfig> WrongCredentials() override {
    BrokerConfig config = broker();
    // Straight to the broker: a proxy may lose the answer to the reset that
    // follows it.
    config.url = *Url::Parse(broker_->Url());
    config.auth.password = Secret("wrong");
    return config;
  }
  absl::Status Cut() override {
    proxied_.proxy->Cut();
    return absl::OkStatus();
  }
  absl::Status Stall() override {
    proxied_.proxy->Hold();
    return absl::OkStatus();
  }
  absl::Status Resume() override {
    proxied_.proxy->Release();
    return absl::OkStatus();
  }

 protected:
  static bool IsPlain(const conformance::Shape& shape) {
    return shape.lock == absl::ZeroDuration() && !shape.sessions &&
           shape.ttl == absl::InfiniteDuration() &&
           shape.duplicate_window == absl::ZeroDuration() &&
           shape.partitions == 1 && shape.max_depth == 0;
  }
  // Declares it: by name alone an entity comes to be when it is first used.
  absl::StatusOr<QueueConfig> Create(std::string entity) {
    QueueConfig queue;
    queue.name = queue.entity = std::move(entity);
    driver::Request request;
    request.op = driver::Request::Op::kCreateEntity;
    request.queue = queue;
    const absl::Status status = Ask(std::move(request));
    if (!status.ok()) return status;
    return queue;
  }
  // Asks on a connection of its own.
  absl::Status Ask(driver::Request request) {
    return amqp_test::Client(broker()).Ask(std::move(request)).status;
  }
  std::string NewName() { return "conformance-" + std::to_string(++queues_); }
  Broker& real() { return *broker_; }

 private:
  const std::string kind_;
  const std::string start_;
  std::unique_ptr<Broker> broker_;
  Broker::Proxied proxied_;
  std::shared_ptr<driver::Driver> driver_;
  int queues_ = 0;
};

class ArtemisHarness final : public AmqpHarness {
 public:
  ArtemisHarness()
      : AmqpHarness("artemis", "artemis --max-delivery-attempts 3") {}

  absl::StatusOr<QueueConfig> NewQueue(
      const conformance::Shape& shape) override {
    // What expires goes to the one ExpiryQueue.
    if (!IsPlain(shape) || shape.dead_letter_expired ||
        (shape.max_deliveries != 0 && shape.max_deliveries != 3)) {
      return Cannot();
    }
    return Create(NewName());
  }
  absl::StatusOr<QueueConfig> UnknownQueue() override {
    QueueConfig queue;
    queue.name = queue.entity = "strict.never-made";
    return queue;
  }
  // All queues share one: it is made anew for each behaviour.
  absl::StatusOr<QueueConfig> DeadLetters(const QueueConfig&) override {
    driver::Request request;
    request.op = driver::Request::Op::kDeleteEntity;
    request.queue.entity = "DLQ";
    const absl::Status status = Ask(std::move(request));
    if (!status.ok()) return status;
    return Create("DLQ");
  }
  conformance::Limits limits() override {
    conformance::Limits limits;
    limits.reason_property = limits.detail_property = "";
    limits.orders_scheduled = false;
    limits.confirms_settlements = false;
    return limits;
  }
};

class RabbitHarness final : public AmqpHarness {
 public:
  RabbitHarness() : AmqpHarness("rabbitmq", "rabbitmq") {}

  absl::StatusOr<QueueConfig> NewQueue(
      const conformance::Shape& shape) override {
    if (!IsPlain(shape) || shape.max_deliveries != 0) return Cannot();
    return Create(NewName());
  }
  conformance::Limits limits() override {
    conformance::Limits limits;
    limits.cycles = 1000;
    return limits;
  }
};

TIELINE_CONFORMANCE("artemis", ArtemisHarness);
TIELINE_CONFORMANCE("rabbitmq", RabbitHarness);

}  // namespace
}  // namespace tieline
