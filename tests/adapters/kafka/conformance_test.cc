// The Kafka backend under the conformance suite, on a real broker behind a
// proxy.
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "adapters/conformance/harness.h"
#include "adapters/kafka/asks.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/settings.h"
#include "tests/support/brokers.h"
#include "tieline/kafka.h"

namespace tieline {
namespace {

using ::tieline::testing::Broker;

class KafkaHarness final : public conformance::Harness {
 public:
  KafkaHarness() { kafka::Register(); }

  absl::Status Start() override {
    broker_ = std::make_unique<Broker>(
        Broker::Start("kafka --proxied 1 --sasl plain --auto-create off "
                      "--set message.max.bytes=2200000 "
                      "--set replica.fetch.max.bytes=2200000"));
    proxied_ = std::make_unique<Broker::Proxied>(broker_->MakeProxy());
    driver_ = driver::Find("kafka");
    BrokerConfig direct;
    direct.url = *Url::Parse(broker_->Url("sasl"));
    direct.auth.sasl = SaslMechanism::kPlain;
    direct.auth.user = broker_->User();
    direct.auth.password = Secret(broker_->Password());
    auto admin = kafka::Client::Make(RD_KAFKA_PRODUCER,
                                     kafka::CommonSettings(direct), 0);
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    return absl::OkStatus();
  }

  driver::Driver& driver() override { return *driver_; }

  // Whoever connects anew is let in again: see Cut().
  BrokerConfig broker() override {
    proxied_->proxy->Accept();
    BrokerConfig config;
    config.name = "kafka";
    config.url = *Url::Parse(proxied_->url);
    return config;
  }

  absl::StatusOr<QueueConfig> NewQueue(
      const conformance::Shape& shape) override {
    if (shape.max_depth > 0) {
      return absl::UnimplementedError("a topic is never full");
    }
    if (shape.lock > absl::ZeroDuration()) {
      return absl::UnimplementedError("Kafka has no locks");
    }
    if (shape.sessions) {
      return absl::UnimplementedError("Kafka has no sessions");
    }
    QueueConfig queue;
    queue.name = queue.entity = "conformance-" + std::to_string(++topics_);
    queue.group = "group-" + std::to_string(topics_);
    queue.create = true;
    queue.partitions = shape.partitions;
    queue.tuning = Tuning::kLatency;
    // A member that was cut off is missed soon.
    queue.settings["session.timeout.ms"] = "6000";
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    const absl::Status made =
        kafka::LookUpTopic(*admin_.get(), queue, {deadline}).status();
    if (!made.ok()) return made;
    return queue;
  }

  conformance::Limits limits() override {
    conformance::Limits limits;
    limits.too_large_body = 3 << 20;
    limits.cycles = 200;
    limits.quiet = absl::Milliseconds(300);
    return limits;
  }

  absl::StatusOr<QueueConfig> UnknownQueue() override {
    QueueConfig queue;
    queue.name = queue.entity = "never-made";
    return queue;
  }

  absl::StatusOr<BrokerConfig> WrongCredentials() override {
    BrokerConfig config;
    config.name = "kafka";
    config.url = *Url::Parse(broker_->Url("sasl"));
    config.auth.sasl = SaslMechanism::kPlain;
    config.auth.user = broker_->User();
    config.auth.password = Secret("wrong");
    return config;
  }

  // Refuses until somebody connects anew: short interruptions are mended by
  // the client library, without a word.
  absl::Status Cut() override {
    proxied_->proxy->Refuse();
    return absl::OkStatus();
  }
  absl::Status Stall() override {
    proxied_->proxy->Hold();
    return absl::OkStatus();
  }
  absl::Status Resume() override {
    proxied_->proxy->Release();
    proxied_->proxy->Accept();
    return absl::OkStatus();
  }
  void AfterBehaviour() override {
    proxied_->proxy->Release();
    proxied_->proxy->Accept();
  }

 private:
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Broker::Proxied> proxied_;
  std::shared_ptr<driver::Driver> driver_;
  kafka::ClientRef admin_;  // makes topics, past the proxy
  int topics_ = 0;
};

TIELINE_CONFORMANCE("kafka", KafkaHarness);

}  // namespace
}  // namespace tieline
