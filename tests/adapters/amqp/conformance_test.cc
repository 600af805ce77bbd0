// The AMQP backend under the conformance suite, on a real Artemis and a real
// RabbitMQ, each behind a proxy that can break the connection.
#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "adapters/conformance/harness.h"
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
    const absl::Status status = AskOnce(std::move(request));
    if (!status.ok()) return status;
    return queue;
  }
  std::string NewName() { return "conformance-" + std::to_string(++queues_); }
  Broker& real() { return *broker_; }

 private:
  struct Told final : driver::ConnectionSink, driver::Waker {
    void OnUp(const Capabilities&) override {}
    void OnReply(driver::Reply reply) override { status = reply.status; }
    void OnLost(const absl::Status& why) override { status = why; }
    void Wake() override {}
    std::optional<absl::Status> status;
  };

  // Asks on a connection of its own.
  absl::Status AskOnce(driver::Request request) {
    Told told;
    const BrokerConfig config = broker();
    auto connection = driver_->Connect(config, &told, &told, Clock::System(),
                                       Clock::System()->Steady());
    if (!connection.ok()) return connection.status();
    (*connection)->Ask(1, std::move(request));
    while (!told.status.has_value()) {
      (*connection)->Run(Clock::System()->Steady());
      const driver::PollSet set = (*connection)->pollable();
      pollfd fd{set.fd, static_cast<int16_t>(set.write ? POLLIN | POLLOUT
                                                       : POLLIN),
                0};
      poll(&fd, 1, 10);
    }
    return *told.status;
  }

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
    if (!IsPlain(shape) ||
        (shape.max_deliveries != 0 && shape.max_deliveries != 3)) {
      return Cannot();
    }
    return Create(NewName());
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
