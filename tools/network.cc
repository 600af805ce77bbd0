#include "tools/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace tieline::tools {
namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

absl::Status Unavailable(const std::string& text) {
  return absl::UnavailableError(text);
}

absl::StatusOr<Addresses> Look(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), fmt::format("{}", port).c_str(),
                                &hints, &found);
  if (error != 0) {
    return Unavailable(fmt::format("{}: {}", host, gai_strerror(error)));
  }
  return Addresses(found, &freeaddrinfo);
}

// Waits for a connect that is under way; 0 or its errno.
int FinishConnect(int fd, absl::Time deadline) {
  pollfd waiting{fd, POLLOUT, 0};
  const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
  const int ready =
      poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left, 0)));
  if (ready == 0) return ETIMEDOUT;
  if (ready < 0) return errno;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

int DefaultPort(std::string_view scheme) {
  if (scheme == "amqp") return 5672;
  if (scheme == "amqps") return 5671;
  if (scheme == "kafka") return 9092;
  if (scheme == "kafkas") return 9093;
  return 0;
}

absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host) {
  TIELINE_ASSIGN_OR_RETURN(const Addresses found, Look(host, 0));
  std::set<std::string> texts;
  for (const addrinfo* a = found.get(); a != nullptr; a = a->ai_next) {
    char text[NI_MAXHOST] = "";
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      texts.insert(text);
    }
  }
  return std::vector<std::string>(texts.begin(), texts.end());
}

absl::StatusOr<Socket> Socket::Connect(const std::string& host, int port,
                                       absl::Duration timeout) {
  TIELINE_ASSIGN_OR_RETURN(const Addresses found, Look(host, port));
  const absl::Time deadline = absl::Now() + timeout;
  int error = EADDRNOTAVAIL;
  for (const addrinfo* a = found.get(); a != nullptr; a = a->ai_next) {
    const int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    Socket socket(fd);
    error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = FinishConnect(fd, deadline);
    if (error == 0) return socket;
  }
  return Unavailable(
      fmt::format("{}:{}: {}", host, port, std::strerror(error)));
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace tieline::tools
