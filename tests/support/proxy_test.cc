#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

using std::chrono::milliseconds;

constexpr int kPatienceMs = 10000;
constexpr int kQuietMs = 100;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Sends back what it receives, one connection after another.
class Echo {
 public:
  Echo() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener_, generic, size) == 0);
    REQUIRE(listen(listener_, 8) == 0);
    REQUIRE(getsockname(listener_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Echo() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  uint16_t port() const { return port_; }

 private:
  void Run() const {
    while (true) {
      const int peer = accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      char buffer[65536];
      ssize_t got = 0;
      while ((got = recv(peer, buffer, sizeof buffer, 0)) > 0 &&
             send(peer, buffer, static_cast<size_t>(got), MSG_NOSIGNAL) ==
                 got) {
      }
      close(peer);
    }
  }

  int listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in address = Loopback(port);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(const std::string& text) const {
    REQUIRE(send(fd_, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void EndSending() const { shutdown(fd_, SHUT_WR); }
  // Up to `size` bytes, fewer at the end of the stream; "RESET" for an RST.
  std::string Receive(size_t size) const {
    std::string all;
    while (all.size() < size && Readable(kPatienceMs)) {
      char buffer[65536];
      const ssize_t got =
          recv(fd_, buffer, std::min(sizeof buffer, size - all.size()), 0);
      if (got < 0) return errno == ECONNRESET ? all + "RESET" : "error";
      if (got == 0) break;
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }
  bool Readable(int timeout_ms) const {
    pollfd watched{fd_, POLLIN, 0};
    return poll(&watched, 1, timeout_ms) == 1;
  }

 private:
  int fd_;
  bool connected_ = false;
};

TEST_CASE("a proxy forwards both ways and passes on the end of a stream") {
  Echo echo;
  Proxy proxy(echo.port());
  Client client(proxy.port());
  const std::string large(3'000'000, 'x');
  std::thread sender([&] {
    client.Send(large);
    client.EndSending();
  });
  const std::string received = client.Receive(large.size());
  sender.join();
  CHECK(received == large);
  CHECK(client.Receive(1).empty());
  CHECK(proxy.forwarded(Proxy::kToBroker) == large.size());
  CHECK(proxy.forwarded(Proxy::kToClient) == large.size());
}

TEST_CASE("a cut resets connections and lets new ones in") {
  Echo echo;
  Proxy proxy(echo.port());
  Client first(proxy.port());
  first.Send("a");
  REQUIRE(first.Receive(1) == "a");
  CHECK(proxy.connections() == 1);
  proxy.Cut();
  CHECK(proxy.connections() == 0);
  CHECK(first.Receive(1) == "RESET");
  Client second(proxy.port());
  second.Send("b");
  CHECK(second.Receive(1) == "b");
  CHECK(proxy.accepted() == 2);
}

TEST_CASE("a refusing proxy refuses, until it accepts again at the same port") {
  Echo echo;
  Proxy proxy(echo.port());
  const uint16_t port = proxy.port();
  Client first(port);
  REQUIRE(proxy.WaitForAccepted(1, milliseconds(kPatienceMs)));
  proxy.Refuse();
  CHECK(first.Receive(1) == "RESET");
  CHECK_FALSE(Client(port).connected());
  proxy.Refuse();
  CHECK_FALSE(Client(port).connected());
  proxy.Accept();
  Client last(port);
  last.Send("c");
  CHECK(last.Receive(1) == "c");
  CHECK(proxy.port() == port);
}

TEST_CASE("held bytes arrive after the release, in either direction") {
  Echo echo;
  Proxy proxy(echo.port());
  Client client(proxy.port());
  client.Send("a");
  REQUIRE(client.Receive(1) == "a");
  const Proxy::Way way = GENERATE(Proxy::kToBroker, Proxy::kToClient);
  proxy.Hold(way);
  client.Send("b");
  CHECK_FALSE(client.Readable(kQuietMs));
  CHECK(proxy.connections() == 1);
  proxy.Release();
  CHECK(client.Receive(1) == "b");
}

TEST_CASE("a cut after some bytes lets exactly those through") {
  Echo echo;
  Proxy proxy(echo.port());
  Client client(proxy.port());
  proxy.CutAfter(Proxy::kToBroker, 3);
  client.Send("abcdef");
  std::string received = client.Receive(6);
  CHECK(received.substr(received.size() - 5) == "RESET");
  CHECK(proxy.forwarded(Proxy::kToBroker) == 3);
  Client next(proxy.port());
  next.Send("ghijkl");
  CHECK(next.Receive(6) == "ghijkl");
}

TEST_CASE("a lost answer: the broker has it, the client does not hear") {
  Echo echo;
  Proxy proxy(echo.port());
  Client client(proxy.port());
  proxy.CutAfter(Proxy::kToClient, 0);
  client.Send("abc");
  CHECK(client.Receive(3) == "RESET");
  CHECK(proxy.forwarded(Proxy::kToBroker) == 3);
  CHECK(proxy.forwarded(Proxy::kToClient) == 0);
}

TEST_CASE("one byte is corrupted, the next is not") {
  Echo echo;
  Proxy proxy(echo.port());
  Client client(proxy.port());
  proxy.Corrupt(Proxy::kToClient);
  client.Send("aa");
  CHECK(client.Receive(2) == "`a");
}

TEST_CASE("a proxy before nobody resets its clients") {
  uint16_t nobody = 0;
  {
    Echo echo;
    nobody = echo.port();
  }
  Proxy proxy(nobody);
  Client client(proxy.port());
  CHECK(client.Receive(1) == "RESET");
  CHECK(proxy.accepted() == 1);
}

TEST_CASE("two proxies do not share a port") {
  Proxy first(1);
  CHECK_THROWS(Proxy(1, first.port()));
}

}  // namespace
}  // namespace tieline::testing
