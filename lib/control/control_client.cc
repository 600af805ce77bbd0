#include "lib/control/control_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "lib/base/deadline.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

constexpr size_t kMaxReplyBytes = (size_t{4} << 20) + 1;
// When the server's queue of connections is full.
constexpr absl::Duration kRetry = absl::Milliseconds(10);
constexpr int64_t kLongestPoll = 3'600'000;

int Milliseconds(absl::Duration left) {
  return static_cast<int>(std::clamp<int64_t>(
      absl::ToInt64Milliseconds(left) + 1, 0, kLongestPoll));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlClient>> ControlClient::Connect(
    const std::string& path, absl::Duration timeout) {
  TIELINE_ASSIGN_OR_RETURN(const sockaddr_un address, control::AddressOf(path));
  TIELINE_ASSIGN_OR_RETURN(control::Fd fd, control::MakeSocket(path));
  const auto* at = reinterpret_cast<const sockaddr*>(&address);
  const Deadline deadline(timeout);
  while (connect(fd.get(), at, sizeof(address)) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT || errno == ENOTSOCK) {
      return MakeStatus(absl::StatusCode::kNotFound,
                        "control socket {}: no process listens there", path);
    }
    if (errno != EAGAIN && errno != EINTR) {
      return control::SocketError(path, "connect to it", errno);
    }
    if (deadline.Passed()) {
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "control socket {}: the process takes no connection",
                        path);
    }
    poll(nullptr, 0, Milliseconds(std::min(kRetry, deadline.Left())));
  }
  return std::unique_ptr<ControlClient>(new ControlClient(path, std::move(fd)));
}

absl::StatusOr<std::string> ControlClient::Ask(std::string_view request,
                                               absl::Duration timeout) {
  if (request.find('\n') != std::string_view::npos) {
    return InvalidArgument("control socket: a request is one line");
  }
  const Deadline deadline(timeout);
  const std::string line = std::string(request) + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t put =
        send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (put > 0) {
      sent += static_cast<size_t>(put);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      TIELINE_RETURN_IF_ERROR(WaitFor(POLLOUT, deadline.Left()));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      break;  // it may have said why
    } else if (errno != EINTR) {
      return control::SocketError(path_, "ask", errno);
    }
  }
  std::array<char, 4096> piece;
  while (true) {
    const size_t end = in_.find('\n');
    if (end != std::string::npos) {
      std::string answer = in_.substr(0, end);
      in_.erase(0, end + 1);
      return answer;
    }
    if (in_.size() > kMaxReplyBytes) {
      return MakeStatus(absl::StatusCode::kResourceExhausted,
                        "control socket {}: the answer has more than {} bytes",
                        path_, kMaxReplyBytes);
    }
    const ssize_t got = recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got > 0) {
      in_.append(piece.data(), static_cast<size_t>(got));
    } else if (got == 0 || errno == ECONNRESET) {
      return MakeStatus(absl::StatusCode::kUnavailable,
                        "control socket {}: the process closed the connection",
                        path_);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      TIELINE_RETURN_IF_ERROR(WaitFor(POLLIN, deadline.Left()));
    } else if (errno != EINTR) {
      return control::SocketError(path_, "read from it", errno);
    }
  }
}

void ControlClient::Cancel() { shutdown(fd_.get(), SHUT_RDWR); }

absl::Status ControlClient::WaitFor(int events, absl::Duration left) const {
  pollfd polled = {fd_.get(), static_cast<short>(events), 0};
  if (left > absl::ZeroDuration()) {
    const int ready = poll(&polled, 1, Milliseconds(left));
    if (ready > 0 || (ready < 0 && errno == EINTR)) return absl::OkStatus();
    if (ready < 0) return control::SocketError(path_, "wait for it", errno);
  }
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "control socket {}: no answer in time", path_);
}

}  // namespace tieline::inline v0
