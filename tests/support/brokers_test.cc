#include "tests/support/brokers.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

constexpr char kAmqpHeader[] = "AMQP\3\1\0";  // with its final zero
constexpr size_t kHeaderBytes = 8;

// Says hello in AMQP and returns the answer's first bytes; "" if there is none
// within the time.
std::string Greet(uint16_t port, int timeout_ms) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string answer;
  pollfd watched{fd, POLLIN, 0};
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof address) == 0 &&
      send(fd, kAmqpHeader, kHeaderBytes, MSG_NOSIGNAL) ==
          static_cast<ssize_t>(kHeaderBytes) &&
      poll(&watched, 1, timeout_ms) == 1) {
    char buffer[kHeaderBytes];
    const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_WAITALL);
    if (got > 0) answer.assign(buffer, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

const std::string kGreeting(kAmqpHeader, kHeaderBytes);

TEST_CASE("a broker of one's own is killed, restarted, paused and continued") {
  Broker broker = Broker::Start("artemis --tls");
  CHECK(broker.Url() == "amqp://127.0.0.1:" + std::to_string(broker.Port()));
  CHECK(broker.HasRole("tls"));
  CHECK_FALSE(broker.HasRole("sasl"));
  CHECK_FALSE(broker.Password().empty());
  CHECK(access(broker.Text("/tls/ca").c_str(), R_OK) == 0);
  CHECK(Greet(broker.Port(), 10000) == kGreeting);
  CHECK(broker.Depth("DLQ") == 0);

  broker.Kill();
  CHECK(Greet(broker.Port(), 10000).empty());
  broker.Restart();
  CHECK(Greet(broker.Port(), 10000) == kGreeting);

  broker.Pause();
  CHECK(Greet(broker.Port(), 100).empty());
  broker.Continue();
  broker.WaitReady();
  CHECK(Greet(broker.Port(), 10000) == kGreeting);

  const std::string folder = broker.Text("/dir");
  { const Broker ended = std::move(broker); }
  CHECK(access(folder.c_str(), F_OK) != 0);
}

TEST_CASE("a proxy before a broker speaks for it") {
  Broker& broker = Broker::Shared("artemis");
  CHECK(&Broker::Shared("artemis") == &broker);
  Broker::Proxied proxied = broker.MakeProxy();
  CHECK(Greet(proxied.proxy->port(), 10000) == kGreeting);
  proxied.proxy->Refuse();
  CHECK(Greet(proxied.proxy->port(), 10000).empty());
}

TEST_CASE("topics are made, made again and deleted") {
  Broker& broker = Broker::Shared("kafka");
  broker.CreateTopic("brokers-test", 3, "--config retention.ms=60000");
  broker.CreateTopic("brokers-test", 3);
  broker.DeleteTopic("brokers-test");
  broker.DeleteTopic("brokers-test");
  CHECK_THROWS_AS(broker.CreateTopic("not/a/name", 1), std::runtime_error);
}

TEST_CASE("proxies before Kafka take the ports it announces") {
  Broker& broker = Broker::Shared("kafka");
  Broker::Proxied first = broker.MakeProxy();
  Broker::Proxied second = broker.MakeProxy();
  CHECK(first.url ==
        "kafka://127.0.0.1:" + std::to_string(first.proxy->port()));
  CHECK(first.url != second.url);
}

TEST_CASE("a wrong start says why") {
  CHECK_THROWS_AS(Broker::Start("artemis --no-such-option"),
                  std::runtime_error);
  Broker broker = Broker::Start("artemis");
  CHECK_THROWS_WITH(broker.Text("/tls/ca"), Catch::Contains("/tls/ca"));
}

}  // namespace
}  // namespace tieline::testing
