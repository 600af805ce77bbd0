// TCP: when the descriptor is readable, by what WakeAt was told.
#include "adapters/amqp/transport.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "adapters/amqp/tcp.h"
#include "tests/support/catch.h"

namespace tieline::inline v0::amqp {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// A connected pair over loopback; the transport has one end.
class Wire {
 public:
  Wire() : Wire(Listen()) {}
  ~Wire() { HangUp(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void Write(size_t bytes) const {
    const std::string data(bytes, 'x');
    REQUIRE(send(peer_, data.data(), data.size(), 0) ==
            static_cast<ssize_t>(bytes));
  }
  void HangUp() {
    if (peer_ >= 0) close(std::exchange(peer_, -1));
  }
  // Waits until so many bytes are there, without poll, which heeds WakeAt.
  bool Has(int bytes) const {
    int here = 0;
    for (const absl::Time until = absl::Now() + kLong;
         here != bytes && absl::Now() < until; std::this_thread::yield()) {
      ioctl(fd_, FIONREAD, &here);
    }
    return here == bytes;
  }

 private:
  static int Listen() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)) == 0);
    REQUIRE(listen(listener, 1) == 0);
    return listener;
  }
  explicit Wire(int listener)
      : peer_(Connect(listener)),
        fd_(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)),
        transport(fd_) {
    close(listener);
    REQUIRE(fd_ >= 0);
  }
  static int Connect(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address),
                        &size) == 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    return fd;
  }

  int peer_;
  int fd_;

 public:
  TcpTransport transport;
};

TEST_CASE("the descriptor is readable at as many bytes as were asked for") {
  Wire wire;
  CHECK_FALSE(wire.transport.Readable());
  wire.transport.WakeAt(100);
  wire.Write(99);
  REQUIRE(wire.Has(99));
  CHECK_FALSE(wire.transport.Readable());
  wire.Write(1);
  REQUIRE(wire.Has(100));
  CHECK(wire.transport.Readable());
  std::array<char, 200> room;
  CHECK(wire.transport.Read(room).bytes == 100);
  CHECK_FALSE(wire.transport.Readable());
  // What is less is read all the same, and wakes once it is asked for.
  wire.Write(1);
  REQUIRE(wire.Has(1));
  CHECK_FALSE(wire.transport.Readable());
  wire.transport.WakeAt(1);
  CHECK(wire.transport.Readable());
  wire.transport.WakeAt(100);
  CHECK(wire.transport.Read(room).bytes == 1);
}

TEST_CASE("a peer that hangs up is seen at once, whatever was asked for") {
  Wire wire;
  wire.transport.WakeAt(1000);
  wire.HangUp();
  pollfd ready = {wire.transport.pollable(false).fd, POLLIN, 0};
  CHECK(poll(&ready, 1, absl::ToInt64Milliseconds(kLong)) == 1);
  CHECK(wire.transport.Readable());
  std::array<char, 10> room;
  CHECK(wire.transport.Read(room).closed);
}

}  // namespace
}  // namespace tieline::inline v0::amqp
