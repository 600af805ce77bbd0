#include "lib/control/socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/base/status.h"

namespace tieline::inline v0::control {

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  constexpr size_t kLongest = sizeof(address.sun_path) - 1;
  if (path.empty()) return InvalidArgument("control socket: its path is empty");
  if (path.size() > kLongest) {
    return InvalidArgument(
        "control socket {}: its path has {} bytes, and may have {}; use a "
        "shorter path for the state file",
        path, path.size(), kLongest);
  }
  if (path.find('\0') != std::string::npos) {
    return InvalidArgument("control socket: its path holds a zero byte");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<Fd> MakeSocket(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return SocketError(path, "make it", errno);
  return fd;
}

absl::Status SocketError(std::string_view path, std::string_view doing,
                         int error) {
  const auto code = error == ENOENT ? absl::StatusCode::kNotFound
                    : error == EACCES || error == EPERM || error == EROFS
                        ? absl::StatusCode::kPermissionDenied
                        : absl::StatusCode::kUnavailable;
  return MakeStatus(code, "control socket {}: cannot {}: {}", path, doing,
                    std::strerror(error));
}

}  // namespace tieline::inline v0::control
