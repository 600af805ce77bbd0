#include "lib/control/listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/status.h"

namespace tieline::inline v0::control {
namespace {

constexpr mode_t kMode = 0600;
constexpr int kBacklog = 16;

absl::StatusOr<Fd> TakeLock(const std::string& path) {
  const std::string name = path + ".lock";
  Fd lock(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!lock.valid()) return SocketError(name, "open it", errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return SocketError(name, "lock it", errno);
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "control socket {}: another process has it; stop that "
                    "process, or give this one a state file of its own",
                    path);
}

// Somebody answers there, though the lock is free.
bool IsAlive(const std::string& path, const sockaddr_un& address) {
  const absl::StatusOr<Fd> probe = MakeSocket(path);
  if (!probe.ok()) return false;
  const auto* at = reinterpret_cast<const sockaddr*>(&address);
  return connect(probe->get(), at, sizeof(address)) == 0 || errno == EAGAIN;
}

// Takes away what a dead process left.
absl::Status Clear(const std::string& path, const sockaddr_un& address) {
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus()
                           : SocketError(path, "look at it", errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "control socket {}: a file that is no socket is there; "
                      "take it away, or use another state file",
                      path);
  }
  if (IsAlive(path, address)) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "control socket {}: another program listens there; use "
                      "another state file",
                      path);
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return SocketError(path, "remove it", errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Listener> Listener::Open(const std::string& path) {
  TIELINE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  TIELINE_ASSIGN_OR_RETURN(Fd lock, TakeLock(path));
  TIELINE_RETURN_IF_ERROR(Clear(path, address));
  TIELINE_ASSIGN_OR_RETURN(Fd socket, MakeSocket(path));
  // Before bind, so that the file never has another mode.
  if (fchmod(socket.get(), kMode) != 0) {
    return SocketError(path, "set its mode", errno);
  }
  const auto* at = reinterpret_cast<const sockaddr*>(&address);
  if (bind(socket.get(), at, sizeof(address)) != 0) {
    return SocketError(path, "bind it", errno);
  }
  struct stat made = {};
  if (chmod(path.c_str(), kMode) != 0 || lstat(path.c_str(), &made) != 0) {
    return SocketError(path, "set its mode", errno);
  }
  if (listen(socket.get(), kBacklog) != 0) {
    return SocketError(path, "listen on it", errno);
  }
  return Listener(path, std::move(lock), std::move(socket), made.st_ino);
}

Listener::~Listener() {
  if (!socket_.valid()) return;  // moved from
  struct stat found = {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

Fd Listener::Accept() const {
  Fd fd(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return fd;
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      (peer.uid != 0 && peer.uid != geteuid())) {
    fd.Reset();
  }
  return fd;
}

}  // namespace tieline::inline v0::control
