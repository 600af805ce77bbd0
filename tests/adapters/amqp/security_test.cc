// TLS, SASL and connecting, against real brokers: what is let in, and what is
// refused, with which word.
#include <string>

#include "tests/adapters/amqp/client.h"
#include "tests/support/brokers.h"
#include "tests/support/catch.h"

namespace tieline::amqp_test {
namespace {

using ::tieline::testing::Broker;

Broker& Artemis() {
  static Broker broker = Broker::Start("artemis --tls --no-anonymous");
  return broker;
}

BrokerConfig At(const std::string& url) {
  BrokerConfig config;
  config.name = "test";
  config.url = *Url::Parse(url);
  return config;
}

BrokerConfig OverTls(std::string_view role = "tls") {
  std::string url = Artemis().Url(role);
  BrokerConfig config =
      At("amqps://127.0.0.1" + url.substr(url.find_last_of(':')));
  config.tls.ca_file = Artemis().Text("/tls/ca");
  config.auth.user = Artemis().User();
  config.auth.password = Secret(Artemis().Password());
  return config;
}

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

absl::Status Try(BrokerConfig config) {
  return Client(std::move(config)).Connect();
}

TEST_CASE("a server whose certificate is trusted is used, by IP address") {
  CHECK(Try(OverTls()) == absl::OkStatus());
}

TEST_CASE("a server is checked against its name, or the one configured") {
  BrokerConfig config = OverTls();
  config.url.hosts[0].host = "localhost";
  CHECK(Try(config) == absl::OkStatus());
  config.tls.server_name = "elsewhere.example.net";
  absl::Status status = Try(config);
  CHECK(status.code() == absl::StatusCode::kUnauthenticated);
  CHECK_THAT(MessageOf(status), Catch::Contains("tls.server_name"));
}

TEST_CASE("a server of an unknown authority is refused, unless opted out") {
  BrokerConfig config = OverTls();
  config.tls.ca_file = Artemis().Text("/tls/untrusted_ca");
  absl::Status status = Try(config);
  CHECK(status.code() == absl::StatusCode::kUnauthenticated);
  CHECK_THAT(MessageOf(status), Catch::Contains("tls.ca"));
  config.tls.insecure_skip_verify = true;
  CHECK(Try(config) == absl::OkStatus());
}

TEST_CASE("messages of any size pass through TLS") {
  Client client(OverTls());
  REQUIRE(client.Connect() == absl::OkStatus());
  struct Sink final : driver::SenderSink {
    void OnOpened(const Capabilities&) override {}
    void OnSendable() override {}
    void OnOutcomes(std::span<const driver::Outcome> list) override {
      for (const driver::Outcome& one : list) {
        if (one.fate == driver::Fate::kAccepted) ++accepted;
      }
    }
    void OnClosed(const absl::Status&) override {}
    int accepted = 0;
  } sink;
  QueueConfig queue;
  queue.name = queue.entity = "tls-sizes";
  auto sender = client.connection->OpenSender({queue, false}, &sink);
  REQUIRE(sender.ok());
  int sent = 0;
  for (size_t size : {0, 1, 1000, 100000, 3000000}) {
    Message message(std::string(size, 'x'));
    driver::Outbound one{size, &message};
    REQUIRE(client.Until([&] {
      return (*sender)->Submit({&one, 1}, false) == 1;
    }));
    ++sent;
    REQUIRE(client.Until([&] { return sink.accepted == sent; }));
  }
}

TEST_CASE("a client certificate authenticates, by SASL EXTERNAL") {
  BrokerConfig config = OverTls("mtls");
  config.auth = AuthConfig();
  config.tls.cert_file = Artemis().Text("/tls/client_cert");
  config.tls.key = Secret(Artemis().Contents("/tls/client_key"));
  CHECK(Try(config) == absl::OkStatus());
}

TEST_CASE("without a client certificate that the server wants, no entry") {
  BrokerConfig config = OverTls("mtls");
  CHECK(!Try(config).ok());
}

TEST_CASE("wrong passwords and missing ones are unauthenticated") {
  BrokerConfig config = At(Artemis().Url());
  config.auth.user = Artemis().User();
  config.auth.password = Secret("wrong");
  absl::Status status = Try(config);
  CHECK(status.code() == absl::StatusCode::kUnauthenticated);
  CHECK_THAT(MessageOf(status), Catch::Contains("auth.user"));
  CHECK_THAT(MessageOf(status), !Catch::Contains("wrong"));
  config.auth = AuthConfig();
  CHECK(Try(config).code() == absl::StatusCode::kUnauthenticated);
}

TEST_CASE("files that can't be used are named") {
  BrokerConfig config = OverTls();
  config.tls.ca_file = "/nonexistent/ca.pem";
  absl::Status status = Try(config);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(MessageOf(status), Catch::Contains("/nonexistent/ca.pem"));
}

TEST_CASE("plaintext beyond this machine needs its opt-in") {
  absl::Status status = Try(At("amqp://broker.example.net"));
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(MessageOf(status), Catch::Contains("allow_plaintext"));
}

TEST_CASE("a name that does not resolve is named") {
  BrokerConfig config = At("amqp://no-such-host.invalid:5672");
  config.allow_plaintext = true;
  absl::Status status = Try(config);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(MessageOf(status), Catch::Contains("no-such-host.invalid"));
}

TEST_CASE("the second host is used when the first refuses") {
  BrokerConfig config = OverTls();
  config.url.hosts.insert(config.url.hosts.begin(), {"127.0.0.1", 1});
  CHECK(Try(config) == absl::OkStatus());
}

TEST_CASE("TLS to a port without it fails in time, and says so") {
  BrokerConfig config = OverTls("plain");
  config.connect_timeout = absl::Seconds(5);
  absl::Status status = Try(config);
  CHECK(!status.ok());
  CHECK_THAT(MessageOf(status), Catch::Contains("TLS"));
}

TEST_CASE("no TLS to a port with it fails in time") {
  BrokerConfig config = At(
      "amqp" + Artemis().Url("tls").substr(Artemis().Url("tls").find("://")));
  config.connect_timeout = absl::Seconds(3);
  CHECK(Try(config).code() == absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tieline::amqp_test
