// The pieces of Unix stream sockets that both ends of a control socket need.
// Private to lib/control.
#ifndef TIELINE_LIB_CONTROL_SOCKET_H_
#define TIELINE_LIB_CONTROL_SOCKET_H_

#include <sys/un.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tieline::inline v0::control {

// A descriptor that is closed with its owner.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_;
};

// kInvalidArgument: empty, or longer than such an address can be (107 bytes).
absl::StatusOr<sockaddr_un> AddressOf(const std::string& path);

// A socket that does not block and is not inherited.
absl::StatusOr<Fd> MakeSocket(const std::string& path);

// A status for errno: kNotFound (no such file), kPermissionDenied, else
// kUnavailable.
absl::Status SocketError(std::string_view path, std::string_view doing,
                         int error);

}  // namespace tieline::inline v0::control

#endif  // TIELINE_LIB_CONTROL_SOCKET_H_
