#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tieline::testing {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

[[noreturn]] void Fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }
  // Closing sends RST instead of FIN.
  void ResetOnClose() const {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }

 private:
  int fd_;
};

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

const sockaddr* Generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Socket NewSocket() {
  Socket made(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.fd() < 0) Fail("socket");
  return made;
}

// A socket bound to the port but not listening: connections are refused.
Socket Bound(uint16_t port) {
  Socket made = NewSocket();
  const int on = 1;
  setsockopt(made.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (bind(made.fd(), Generic(address), sizeof address) < 0) Fail("bind");
  return made;
}

uint16_t PortOf(const Socket& bound) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(bound.fd(), reinterpret_cast<sockaddr*>(&address), &size) <
      0) {
    Fail("getsockname");
  }
  return ntohs(address.sin_port);
}

// One direction of one connection.
struct Stream {
  std::vector<char> buffer = std::vector<char>(kBufferBytes);
  size_t begin = 0;
  size_t end = 0;
  bool source_ended = false;
  bool end_passed_on = false;

  bool empty() const { return begin == end; }
};

struct Connection {
  Socket client;
  Socket broker;
  Stream streams[2];  // by Way
  bool broken = false;

  int source(int way) const {
    return way == Proxy::kToBroker ? client.fd() : broker.fd();
  }
  int sink(int way) const {
    return way == Proxy::kToBroker ? broker.fd() : client.fd();
  }
  bool finished() const {
    return broken || (streams[0].end_passed_on && streams[1].end_passed_on);
  }
};

}  // namespace

// All state below the mutex belongs to the proxy's thread; other threads hand
// it work to do (Do) and read the counters.
class Proxy::Loop {
 public:
  Loop(uint16_t broker_port, uint16_t listen_port)
      : broker_port_(broker_port),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        listener_(Bound(listen_port)),
        port_(PortOf(listener_)) {
    if (wake_.fd() < 0) Fail("eventfd");
    Listen();
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "test-proxy");
  }

  ~Loop() {
    Do([this] { stopping_ = true; });
    thread_.join();
  }

  uint16_t port() const { return port_; }

  // Runs `work` on the proxy's thread and waits until it is done.
  void Do(std::function<void()> work) {
    std::unique_lock lock(mutex_);
    const uint64_t ticket = ++asked_;
    work_.push_back(std::move(work));
    Wake();
    changed_.wait(lock, [&] { return done_ >= ticket; });
  }

  void Cut() {
    for (Connection& each : connections_) each.broken = true;
    Sweep();
  }

  void Refuse() {
    if (listening_) {
      listener_ = Socket();
      listener_ = Bound(port_);
      listening_ = false;
    }
    Cut();
  }

  void Listen() {
    if (!listening_ && listen(listener_.fd(), SOMAXCONN) < 0) Fail("listen");
    listening_ = true;
  }

  void SetHeld(Way way, bool held) {
    for (int each : {kToBroker, kToClient}) {
      if (way == kBothWays || way == each) held_[each] = held;
    }
  }

  void SetLimit(Way way, uint64_t bytes) { limit_[way] = bytes; }
  void SetCorrupt(Way way) { corrupt_[way] = true; }

  struct Counters {
    int open = 0;
    int accepted = 0;
    uint64_t forwarded[2] = {0, 0};
  };

  Counters counters() const {
    std::lock_guard lock(mutex_);
    return counters_;
  }

  bool WaitForAccepted(int count, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout,
                             [&] { return counters_.accepted >= count; });
  }

 private:
  void Wake() const {
    const uint64_t one = 1;
    if (write(wake_.fd(), &one, sizeof one) < 0 && errno != EAGAIN) {
      Fail("eventfd");
    }
  }

  void Run() {
    while (!stopping_) {
      std::vector<pollfd> watched = Watched();
      if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
        Fail("poll");
      }
      DoWork();
      if (listening_) AcceptAll();
      for (Connection& each : connections_) Forward(each);
      Sweep();
    }
    Cut();
  }

  std::vector<pollfd> Watched() const {
    std::vector<pollfd> watched = {{wake_.fd(), POLLIN, 0}};
    if (listening_) watched.push_back({listener_.fd(), POLLIN, 0});
    for (const Connection& each : connections_) {
      for (int way : {kToBroker, kToClient}) {
        const Stream& stream = each.streams[way];
        if (held_[way]) continue;
        if (stream.empty() && !stream.source_ended) {
          watched.push_back({each.source(way), POLLIN, 0});
        } else if (!stream.empty()) {
          watched.push_back({each.sink(way), POLLOUT, 0});
        }
      }
    }
    return watched;
  }

  void DoWork() {
    uint64_t count = 0;
    if (read(wake_.fd(), &count, sizeof count) < 0 && errno != EAGAIN) {
      Fail("eventfd");
    }
    std::unique_lock lock(mutex_);
    while (!work_.empty()) {
      std::function<void()> work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
      lock.lock();
      ++done_;
      changed_.notify_all();
    }
  }

  void AcceptAll() {
    while (true) {
      Socket client(accept4(listener_.fd(), nullptr, nullptr,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client.fd() < 0) return;
      Connection& made = connections_.emplace_back();
      made.client = std::move(client);
      made.broker = NewSocket();
      const int on = 1;
      for (const Socket* end : {&made.client, &made.broker}) {
        setsockopt(end->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      // On the loopback a connect that does not succeed at once has failed.
      const sockaddr_in address = Loopback(broker_port_);
      made.broken =
          connect(made.broker.fd(), Generic(address), sizeof address) < 0 &&
          errno != EINPROGRESS;
      std::lock_guard lock(mutex_);
      ++counters_.accepted;
      ++counters_.open;
      changed_.notify_all();
    }
  }

  void Forward(Connection& connection) {
    for (int way : {kToBroker, kToClient}) {
      if (held_[way] || connection.broken) continue;
      Fill(connection, way);
      Drain(connection, way);
    }
  }

  static void Fill(Connection& connection, int way) {
    Stream& stream = connection.streams[way];
    if (!stream.empty() || stream.source_ended) return;
    const ssize_t got = recv(connection.source(way), stream.buffer.data(),
                             stream.buffer.size(), 0);
    if (got > 0) {
      stream.begin = 0;
      stream.end = static_cast<size_t>(got);
    } else if (got == 0) {
      stream.source_ended = true;
    } else if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
      connection.broken = true;
    }
  }

  void Drain(Connection& connection, int way) {
    Stream& stream = connection.streams[way];
    if (!stream.empty()) {
      size_t size = stream.end - stream.begin;
      if (limit_[way]) size = std::min<uint64_t>(size, *limit_[way]);
      if (corrupt_[way] && size > 0) {
        stream.buffer[stream.begin] ^= 1;
        corrupt_[way] = false;
      }
      const ssize_t sent = size == 0 ? 0
                                     : send(connection.sink(way),
                                            stream.buffer.data() + stream.begin,
                                            size, MSG_NOSIGNAL);
      if (sent < 0) {
        connection.broken = errno != EAGAIN && errno != EINTR;
        return;
      }
      Count(connection, way, static_cast<size_t>(sent));
    }
    if (stream.empty() && stream.source_ended && !stream.end_passed_on) {
      shutdown(connection.sink(way), SHUT_WR);
      stream.end_passed_on = true;
    }
  }

  void Count(Connection& connection, int way, size_t sent) {
    connection.streams[way].begin += sent;
    {
      std::lock_guard lock(mutex_);
      counters_.forwarded[way] += sent;
    }
    if (!limit_[way]) return;
    *limit_[way] -= sent;
    if (*limit_[way] == 0) {
      limit_[way].reset();
      for (Connection& each : connections_) each.broken = true;
    }
  }

  // Closes what is broken or finished.
  void Sweep() {
    connections_.remove_if([](const Connection& each) {
      if (each.broken) {
        each.client.ResetOnClose();
        each.broker.ResetOnClose();
      }
      return each.finished();
    });
    std::lock_guard lock(mutex_);
    counters_.open = static_cast<int>(connections_.size());
  }

  const uint16_t broker_port_;
  Socket wake_;
  Socket listener_;
  const uint16_t port_;
  bool listening_ = false;
  bool stopping_ = false;
  bool held_[2] = {false, false};
  bool corrupt_[2] = {false, false};
  std::optional<uint64_t> limit_[2];
  std::list<Connection> connections_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::list<std::function<void()>> work_;
  uint64_t asked_ = 0;
  uint64_t done_ = 0;
  Counters counters_;

  std::thread thread_;
};

Proxy::Proxy(uint16_t broker_port, uint16_t listen_port)
    : loop_(std::make_unique<Loop>(broker_port, listen_port)) {}
Proxy::~Proxy() = default;

uint16_t Proxy::port() const { return loop_->port(); }

void Proxy::Cut() {
  loop_->Do([this] { loop_->Cut(); });
}

void Proxy::Refuse() {
  loop_->Do([this] { loop_->Refuse(); });
}

void Proxy::Accept() {
  loop_->Do([this] { loop_->Listen(); });
}

void Proxy::Hold(Way way) {
  loop_->Do([this, way] { loop_->SetHeld(way, true); });
}

void Proxy::Release() {
  loop_->Do([this] { loop_->SetHeld(kBothWays, false); });
}

void Proxy::CutAfter(Way way, uint64_t bytes) {
  loop_->Do([this, way, bytes] { loop_->SetLimit(way, bytes); });
}

void Proxy::Corrupt(Way way) {
  loop_->Do([this, way] { loop_->SetCorrupt(way); });
}

int Proxy::connections() const { return loop_->counters().open; }
int Proxy::accepted() const { return loop_->counters().accepted; }
uint64_t Proxy::forwarded(Way way) const {
  const Loop::Counters now = loop_->counters();
  return way == kBothWays ? now.forwarded[0] + now.forwarded[1]
                          : now.forwarded[way];
}

bool Proxy::WaitForAccepted(int count,
                            std::chrono::milliseconds timeout) const {
  return loop_->WaitForAccepted(count, timeout);
}

}  // namespace tieline::testing
