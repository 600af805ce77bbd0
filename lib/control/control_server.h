// ControlServer: a Unix socket at which a running process is asked about itself
// and told what to do, one line for each question and each answer.
//
// Only the process's own user and root may ask: the socket has mode 0600, and
// who is at the other end is checked. Lines, connections and time are bounded;
// what is over a bound is answered with an error and closed.
#ifndef TIELINE_LIB_CONTROL_CONTROL_SERVER_H_
#define TIELINE_LIB_CONTROL_CONTROL_SERVER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tieline::inline v0 {

// Answers one line (without its line break) with one line. Called on the
// server's thread, one at a time, under no lock.
using ControlHandler = std::function<std::string(std::string_view request)>;

struct ControlServerOptions {
  // Connections at the same time; one more is answered kResourceExhausted.
  size_t connections = 16;
  // Bytes of a question, and of an answer.
  size_t request_bytes = size_t{64} << 10;
  size_t reply_bytes = size_t{4} << 20;
  // A connection on which nothing moves for so long is closed.
  absl::Duration idle_timeout = absl::Minutes(1);
};

// The socket of the process that has this state file.
std::string ControlPath(std::string_view state_file);

// Threads: made and destroyed by one; `tieline-control` is its own.
class ControlServer {
 public:
  // Takes `path`.lock (mode 0600; the kernel lets go of it when the process
  // ends), replaces the socket that a dead process left, and listens.
  //   kInvalidArgument     the path is longer than 107 bytes
  //   kFailedPrecondition  a process that is alive has this socket, or a file
  //                        that is no socket is there
  //   kNotFound, kPermissionDenied, kUnavailable: the folder, the system
  static absl::StatusOr<std::unique_ptr<ControlServer>> Open(
      const std::string& path, ControlHandler handler,
      ControlServerOptions options = {});
  // Waits for the answer that is being made, and removes the socket. Not from
  // the handler.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  const std::string& path() const;

 private:
  class Core;
  explicit ControlServer(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONTROL_CONTROL_SERVER_H_
