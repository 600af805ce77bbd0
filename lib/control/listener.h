// Listener: the socket file of a control server, from its lock to its removal.
// Private to lib/control.
#ifndef TIELINE_LIB_CONTROL_LISTENER_H_
#define TIELINE_LIB_CONTROL_LISTENER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "lib/control/socket.h"

namespace tieline::inline v0::control {

class Listener {
 public:
  // Errors as of ControlServer::Open.
  static absl::StatusOr<Listener> Open(const std::string& path);
  // Removes the socket file, if it is still the one that was made.
  ~Listener();
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return socket_.get(); }
  // The next connection, which does not block; not valid when there is none, or
  // when it is another user's.
  Fd Accept() const;

 private:
  Listener(std::string path, Fd lock, Fd socket, ino_t inode)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        socket_(std::move(socket)),
        inode_(inode) {}

  std::string path_;
  Fd lock_;
  Fd socket_;
  ino_t inode_;
};

}  // namespace tieline::inline v0::control

#endif  // TIELINE_LIB_CONTROL_LISTENER_H_
