#include "adapters/kafka/settings.h"

#include <string>

#include "adapters/kafka/client.h"
#include "tests/support/catch.h"

namespace tieline::kafka {
namespace {

BrokerConfig At(const std::string& url) {
  BrokerConfig broker;
  broker.name = "b";
  broker.url = *Url::Parse(url);
  return broker;
}

// The value that counts: the last.
std::string Of(const Settings& settings, std::string_view name) {
  std::string value = "<none>";
  for (const Setting& s : settings) {
    if (s.name == name) value = std::string(s.value.Reveal());
  }
  return value;
}

bool Says(const absl::Status& status, std::string_view what) {
  return std::string(status.message()).find(what) != std::string::npos;
}

TEST_CASE("plaintext is for loopback, or with the explicit word") {
  CHECK(CheckBroker(At("kafka://127.0.0.1:9092")).ok());
  CHECK(CheckBroker(At("kafka://localhost")).ok());
  CHECK(CheckBroker(At("kafkas://kafka.example.net")).ok());
  BrokerConfig far = At("kafka://kafka.example.net");
  CHECK(Says(CheckBroker(far), "allow_plaintext"));
  far.allow_plaintext = true;
  CHECK(CheckBroker(far).ok());
  CHECK(!CheckBroker(At("kafka://localhost,kafka.example.net")).ok());
}

TEST_CASE("TLS and SASL become the library's security protocol") {
  BrokerConfig broker = At("kafka://localhost:9092");
  CHECK(Of(CommonSettings(broker), "security.protocol") == "plaintext");
  broker.tls.ca_file = "ca.pem";
  CHECK(Of(CommonSettings(broker), "security.protocol") == "ssl");
  CHECK(Of(CommonSettings(broker), "ssl.ca.location") == "ca.pem");
  CHECK(Of(CommonSettings(broker), "ssl.endpoint.identification.algorithm") ==
        "https");
  broker.auth.user = "u";
  broker.auth.password = Secret("p");
  CHECK(Of(CommonSettings(broker), "security.protocol") == "sasl_ssl");
  CHECK(Of(CommonSettings(broker), "sasl.mechanism") == "PLAIN");
  broker.auth.sasl = SaslMechanism::kScramSha512;
  broker.tls = {};
  CHECK(Of(CommonSettings(broker), "security.protocol") == "sasl_plaintext");
  CHECK(Of(CommonSettings(broker), "sasl.mechanism") == "SCRAM-SHA-512");
  CHECK(Of(CommonSettings(broker), "sasl.password") == "p");
}

TEST_CASE("a user and password in the URL are used") {
  const Settings s = CommonSettings(At("kafka://u:p@localhost"));
  CHECK(Of(s, "sasl.username") == "u");
  CHECK(Of(s, "sasl.password") == "p");
}

TEST_CASE("mechanisms that Kafka does not take are refused") {
  BrokerConfig broker = At("kafka://localhost");
  broker.auth.sasl = SaslMechanism::kOauthBearer;
  CHECK(!CheckBroker(broker).ok());
  broker.auth.sasl = SaslMechanism::kScramSha256;
  CHECK(Says(CheckBroker(broker), "user"));
  broker.auth.sasl = SaslMechanism::kExternal;
  CHECK(Says(CheckBroker(broker), "cert"));
}

TEST_CASE("settings outside the allowlist are refused by name") {
  BrokerConfig broker = At("kafka://localhost");
  broker.settings["compression.type"] = "lz4";
  CHECK(CheckBroker(broker).ok());
  broker.settings["enable.idempotence"] = "false";
  CHECK(Says(CheckBroker(broker), "enable.idempotence"));
  QueueConfig queue;
  queue.name = "q";
  queue.entity = "t";
  queue.settings["security.protocol"] = "plaintext";
  CHECK(Says(CheckQueue(queue), "security.protocol"));
}

TEST_CASE("what an outcome means cannot be configured away") {
  BrokerConfig broker = At("kafka://localhost");
  QueueConfig queue;
  queue.settings["queue.buffering.max.messages"] = "10";
  queue.settings["linger.ms"] = "50";
  const Settings s = ProducerSettings(broker, queue);
  CHECK(Of(s, "enable.idempotence") == "true");
  CHECK(Of(s, "acks") == "all");
  CHECK(Of(s, "message.timeout.ms") == "0");
  CHECK(Of(s, "linger.ms") == "50");
  CHECK(Of(s, "queue.buffering.max.messages") == "2000000");
  CHECK(Of(s, "partitioner") == "murmur2_random");
}

TEST_CASE("rebalancing is eager below the first sound version") {
  const BrokerConfig broker = At("kafka://localhost");
  const QueueConfig queue;
  CHECK(Of(ConsumerSettings(broker, queue, false, 0x020002ff),
           "partition.assignment.strategy") == "range,roundrobin");
  CHECK(Of(ConsumerSettings(broker, queue, false, 0x020601ff),
           "partition.assignment.strategy") == "cooperative-sticky");
}

TEST_CASE("group and member become a static membership") {
  QueueConfig queue;
  const BrokerConfig broker = At("kafka://localhost");
  CHECK(Of(ConsumerSettings(broker, queue, false, 0), "group.id") == "tieline");
  queue.group = "g";
  queue.member = "m-1";
  const Settings s = ConsumerSettings(broker, queue, false, 0);
  CHECK(Of(s, "group.id") == "g");
  CHECK(Of(s, "group.instance.id") == "m-1");
  CHECK(Of(s, "enable.auto.commit") == "false");
  CHECK(Of(ConsumerSettings(broker, queue, true, 0), "group.instance.id") ==
        "<none>");
}

TEST_CASE("starts are words, offsets or times") {
  CHECK(ParseStart("earliest")->kind == Start::Kind::kEarliest);
  CHECK(ParseStart("")->kind == Start::Kind::kEarliest);
  CHECK(ParseStart("latest")->kind == Start::Kind::kLatest);
  CHECK(ParseStart("17")->offset == 17);
  const auto time = ParseStart("2024-01-02T03:04:05Z");
  REQUIRE(time.ok());
  CHECK(time->kind == Start::Kind::kTime);
  CHECK(absl::ToUnixSeconds(time->time) == 1704164645);
  CHECK(!ParseStart("-5").ok());
  CHECK(!ParseStart("yesterday").ok());
}

TEST_CASE("entities that cannot be topics are refused") {
  QueueConfig queue;
  queue.name = "q";
  for (const char* bad : {"", ".", "..", "a b", "a/b", "\xc3\xbc"}) {
    queue.entity = bad;
    CHECK(!CheckQueue(queue).ok());
  }
  queue.entity = std::string(250, 'a');
  CHECK(!CheckQueue(queue).ok());
  queue.entity = "observations.v1_x-Y";
  CHECK(CheckQueue(queue).ok());
}

TEST_CASE("a refused setting is named, a secret's value is not") {
  Settings settings = {{"linger.ms", Secret("soon")}};
  CHECK(
      Says(Client::Make(RD_KAFKA_PRODUCER, settings, 0).status(), "linger.ms"));
  settings = {{"ssl.key.pem", Secret("hush")}};
  const auto made = Client::Make(RD_KAFKA_PRODUCER, settings, 0);
  CHECK(!Says(made.status(), "hush"));
}

}  // namespace
}  // namespace tieline::kafka
