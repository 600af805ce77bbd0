// ControlClient: asks a running process at its control socket.
#ifndef TIELINE_LIB_CONTROL_CONTROL_CLIENT_H_
#define TIELINE_LIB_CONTROL_CONTROL_CLIENT_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/control/socket.h"

namespace tieline::inline v0 {

// Threads: one at a time, but for Cancel.
class ControlClient {
 public:
  //   kNotFound          no process listens there: the socket is missing, or
  //                      its process is dead
  //   kInvalidArgument   the path is longer than 107 bytes
  //   kPermissionDenied  it is another user's
  //   kDeadlineExceeded, kUnavailable: it does not answer
  static absl::StatusOr<std::unique_ptr<ControlClient>> Connect(
      const std::string& path, absl::Duration timeout);

  // Sends one line and waits for the line that answers it. After an error the
  // client is of no use any more.
  //   kInvalidArgument    the request has a line break
  //   kDeadlineExceeded   no answer came; it may have been done
  //   kUnavailable        the connection was lost; the same
  //   kResourceExhausted  the answer is longer than 4 MiB
  absl::StatusOr<std::string> Ask(std::string_view request,
                                  absl::Duration timeout);
  // From any thread: what is being asked ends now, with kUnavailable, and the
  // client is of no use any more.
  void Cancel();

 private:
  ControlClient(std::string path, control::Fd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  // Waits until it can be read or written.
  absl::Status WaitFor(int events, absl::Duration left) const;

  const std::string path_;
  control::Fd fd_;
  std::string in_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONTROL_CONTROL_CLIENT_H_
