#include "adapters/amqp/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

// The system's text for an error number, on any thread.
std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof(buffer));
}

}  // namespace

TcpTransport::TcpTransport(Resolver* resolver, std::vector<HostPort> hosts,
                           driver::Waker* waker, absl::Time give_up)
    : query_(resolver->Ask(std::move(hosts), waker)), give_up_(give_up) {}

TcpTransport::TcpTransport(int fd) : fd_(fd), connected_(true) {}

TcpTransport::~TcpTransport() { CloseSocket(); }

void TcpTransport::CloseSocket() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::Time TcpTransport::deadline() const {
  return connected_ ? absl::InfiniteFuture() : std::min(give_up_, try_until_);
}

absl::StatusOr<bool> TcpTransport::Resolve() {
  std::optional<Resolver::Result> result = query_->Take();
  if (!result.has_value()) return false;
  query_.reset();
  TIELINE_ASSIGN_OR_RETURN(addresses_, *std::move(result));
  return true;
}

void TcpTransport::Fail(int error) {
  const Address& tried = addresses_[next_ - 1];
  if (!failures_.empty()) failures_ += "; ";
  failures_ +=
      fmt::format("{}:{}: {}", tried.host, tried.port, ErrnoText(error));
  CloseSocket();
}

absl::Status TcpTransport::TryNext(absl::Time now) {
  while (fd_ < 0) {
    if (next_ == addresses_.size()) {
      return MakeStatus(absl::StatusCode::kUnavailable,
                        "can't connect ({}): check that the broker runs and "
                        "that host and port are right",
                        failures_);
    }
    absl::Duration share =
        (give_up_ - now) / static_cast<int64_t>(addresses_.size() - next_);
    try_until_ = now + share;
    const Address& address = addresses_[next_++];
    fd_ = socket(address.storage.ss_family,
                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
      Fail(errno);
      continue;
    }
    int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    host_ = address.host;
    const auto* where = reinterpret_cast<const sockaddr*>(&address.storage);
    if (connect(fd_, where, address.size) != 0 && errno != EINPROGRESS) {
      Fail(errno);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TcpTransport::Connect(absl::Time now) {
  if (connected_) return true;
  if (query_ != nullptr) {
    if (now >= give_up_) {
      return absl::UnavailableError(
          "the connect time-out passed while the host name was being looked "
          "up");
    }
    TIELINE_ASSIGN_OR_RETURN(bool resolved, Resolve());
    if (!resolved) return false;
  }
  for (;;) {
    TIELINE_RETURN_IF_ERROR(TryNext(now));
    pollfd ready = {fd_, POLLOUT, 0};
    if (poll(&ready, 1, 0) <= 0) {
      if (now < try_until_) return false;
      Fail(ETIMEDOUT);
      continue;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      connected_ = true;
      return true;
    }
    Fail(error);
  }
}

Transferred TcpTransport::Read(std::span<char> room) {
  Transferred result;
  ssize_t n = recv(fd_, room.data(), room.size(), 0);
  if (n > 0) {
    result.bytes = static_cast<size_t>(n);
    result.drained = result.bytes < room.size();
  } else if (n == 0) {
    result.closed = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    result.error = MakeStatus(absl::StatusCode::kUnavailable,
                              "the connection was lost: {}", ErrnoText(errno));
  }
  return result;
}

Transferred TcpTransport::Write(std::span<const iovec> pieces) {
  Transferred result;
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  ssize_t n = sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (n >= 0) {
    result.bytes = static_cast<size_t>(n);
  } else if (errno != EAGAIN && errno != EINTR) {
    result.error = MakeStatus(absl::StatusCode::kUnavailable,
                              "the connection was lost: {}", ErrnoText(errno));
  }
  return result;
}

driver::PollSet TcpTransport::pollable(bool want_write) const {
  return {fd_, true, want_write || (!connected_ && fd_ >= 0)};
}

void TcpTransport::WakeAt(size_t bytes) {
  const int least = static_cast<int>(bytes);
  // When it fails, the descriptor is readable sooner: slower, and right.
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

bool TcpTransport::Readable() const {
  pollfd ready = {fd_, POLLIN, 0};
  return poll(&ready, 1, 0) > 0;
}

}  // namespace tieline::inline v0::amqp
