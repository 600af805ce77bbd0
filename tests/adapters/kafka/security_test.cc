// TLS and SASL against a real Kafka: what is let in, and what is refused, with
// which word.
#include <string>

#include "tests/support/brokers.h"
#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace tieline {
namespace {

using ::tieline::testing::Broker;

// SCRAM of librdkafka below 2.6.1 is understood by Kafka 3.9 at most.
Broker& Kafka() {
  static Broker broker =
      Broker::Start("kafka --version 3.9.2 --tls --sasl all");
  return broker;
}

BrokerConfig At(std::string_view role) {
  BrokerConfig config;
  config.name = "secure";
  config.url = *Url::Parse(Kafka().Url(role));
  config.connect_timeout = absl::Seconds(20);
  return config;
}

BrokerConfig OverTls(std::string_view role = "tls") {
  BrokerConfig config = At(role);
  config.tls.enabled = true;
  config.tls.ca_file = Kafka().Text("/tls/ca");
  return config;
}

BrokerConfig As(BrokerConfig config, SaslMechanism sasl,
                const std::string& password) {
  config.auth.sasl = sasl;
  config.auth.user = Kafka().User();
  config.auth.password = Secret(password);
  return config;
}

// Sends one message and receives it: an error, or OK.
absl::Status Exchange(BrokerConfig broker) {
  kafka::Register();
  Config config;
  QueueConfig queue;
  queue.name = "q";
  queue.broker = broker.name;
  static int made = 0;
  queue.entity = "secure-" + std::to_string(made++);
  queue.group = queue.entity;
  queue.create = true;
  config.brokers[broker.name] = std::move(broker);
  config.queues["q"] = std::move(queue);
  auto bus = Bus::Open(std::move(config));
  if (!bus.ok()) return bus.status();
  auto sender = (*bus)->OpenSender("q");
  if (!sender.ok()) return sender.status();
  absl::Status open = (*sender)->WaitOpen(absl::Seconds(20));
  if (!open.ok()) return open;
  const SendResult sent = (*sender)->Send(Message("under seal"));
  if (!sent.ok()) return sent.status;
  auto receiver = (*bus)->OpenReceiver("q");
  if (!receiver.ok()) return receiver.status();
  auto delivery = (*receiver)->Receive(absl::Seconds(30));
  if (!delivery.ok()) return delivery.status();
  if (delivery->message().body_view() != "under seal") {
    return absl::DataLossError("another body came back");
  }
  return delivery->Complete();
}

// The error's text names what to look at, and never a secret.
void CheckRefused(BrokerConfig broker, std::string_view word) {
  const std::string password(broker.auth.password.Reveal());
  const absl::Status status = Exchange(std::move(broker));
  INFO(status.ToString());
  CHECK(status.code() == absl::StatusCode::kUnauthenticated);
  CHECK_THAT(status.ToString(), Catch::Contains(std::string(word)));
  if (!password.empty()) {
    CHECK_THAT(status.ToString(), !Catch::Contains(password));
  }
}

TEST_CASE("Kafka: messages pass through TLS") {
  CHECK(Exchange(OverTls()) == absl::OkStatus());
}

TEST_CASE("Kafka: a client certificate is shown where it is wanted") {
  BrokerConfig config = OverTls("mtls");
  config.tls.cert_file = Kafka().Text("/tls/client_cert");
  config.tls.key = Secret(Kafka().Contents("/tls/client_key"));
  CHECK(Exchange(config) == absl::OkStatus());
}

TEST_CASE("Kafka: SASL PLAIN and SCRAM, with and without TLS") {
  const SaslMechanism sasl =
      GENERATE(SaslMechanism::kDefault, SaslMechanism::kPlain,
               SaslMechanism::kScramSha256, SaslMechanism::kScramSha512);
  const std::string password = Kafka().Password();
  CHECK(Exchange(As(At("sasl"), sasl, password)) == absl::OkStatus());
  CHECK(Exchange(As(OverTls("sasl_tls"), sasl, password)) == absl::OkStatus());
}

TEST_CASE("Kafka: a wrong password is refused, and is not repeated") {
  const SaslMechanism sasl =
      GENERATE(SaslMechanism::kPlain, SaslMechanism::kScramSha256,
               SaslMechanism::kScramSha512);
  CheckRefused(As(At("sasl"), sasl, "not-the-password"), "auth");
}

TEST_CASE("Kafka: a server of an unknown authority is refused") {
  BrokerConfig config = OverTls();
  config.tls.ca_file = Kafka().Text("/tls/untrusted_ca");
  CheckRefused(config, "certificate");
  config.tls.ca_file.clear();
  config.tls.insecure_skip_verify = true;
  CHECK(Exchange(config) == absl::OkStatus());
}

TEST_CASE("Kafka: a server is checked against its name") {
  const Broker other =
      Broker::Start("kafka --tls --server-certificate wrong-host");
  BrokerConfig config;
  config.name = "elsewhere";
  config.url = *Url::Parse(other.Url("tls"));
  config.tls.enabled = true;
  config.tls.ca_file = other.Text("/tls/ca");
  CheckRefused(config, "certificate");
}

TEST_CASE("Kafka: without a client certificate that is wanted, no entry") {
  CheckRefused(OverTls("mtls"), "certificate");
  BrokerConfig config = OverTls("mtls");
  config.tls.cert_file = Kafka().Text("/tls/untrusted_client_cert");
  config.tls.key = Secret(Kafka().Contents("/tls/untrusted_client_key"));
  CheckRefused(config, "certificate");
}

}  // namespace
}  // namespace tieline
