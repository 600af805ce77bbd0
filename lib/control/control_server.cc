#include "lib/control/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <thread>
#include <vector>

#include "lib/base/status.h"
#include "lib/control/conversation.h"
#include "lib/control/listener.h"
#include "lib/control/reply.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

using control::Conversation;
using control::Fd;
using control::Listener;

std::string ControlPath(std::string_view state_file) {
  return std::string(state_file) + ".sock";
}

// The thread and what it serves.
class ControlServer::Core {
 public:
  Core(Listener listener, Fd wake, ControlHandler handler,
       ControlServerOptions options)
      : listener_(std::move(listener)),
        wake_(std::move(wake)),
        handler_(std::move(handler)),
        options_(options),
        thread_([this] { Serve(); }) {
    pthread_setname_np(thread_.native_handle(), "tieline-control");
  }
  ~Core() {
    const uint64_t one = 1;
    while (write(wake_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }

  const std::string& path() const { return listener_.path(); }

 private:
  void Serve() {
    while (true) {
      std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0},
                                    {listener_.fd(), POLLIN, 0}};
      for (const Conversation& one : conversations_) {
        const int events = one.wants_write() ? POLLOUT : POLLIN;
        polled.push_back({one.fd(), static_cast<short>(events), 0});
      }
      poll(polled.data(), polled.size(), NextTimeout());
      if (polled[0].revents != 0) return;
      const absl::Time now = Clock::System()->Steady();
      size_t at = 2;
      for (auto it = conversations_.begin(); it != conversations_.end();) {
        const bool ready = polled[at++].revents != 0 || it->waits();
        const bool goes_on = ready ? it->Run(handler_, options_, now)
                                   : now - it->moved() < options_.idle_timeout;
        it = goes_on ? std::next(it) : conversations_.erase(it);
      }
      if (polled[1].revents != 0) Accept(now);
    }
  }

  void Accept(absl::Time now) {
    Fd fd = listener_.Accept();
    if (!fd.valid()) return;
    Conversation conversation(std::move(fd), now);
    if (conversations_.size() < options_.connections) {
      conversations_.push_back(std::move(conversation));
      return;
    }
    conversation.Refuse(control::ErrorReply(MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "{} connections are open already; try again", options_.connections)));
  }

  // Milliseconds until the next connection has idled too long.
  int NextTimeout() const {
    if (conversations_.empty()) return -1;
    absl::Time next = absl::InfiniteFuture();
    for (const Conversation& one : conversations_) {
      if (one.waits()) return 0;
      next = std::min(next, one.moved() + options_.idle_timeout);
    }
    const absl::Duration left = next - Clock::System()->Steady();
    constexpr int64_t kLongest = 3'600'000;
    return static_cast<int>(
        std::clamp<int64_t>(absl::ToInt64Milliseconds(left) + 1, 0, kLongest));
  }

  const Listener listener_;
  const Fd wake_;
  const ControlHandler handler_;
  const ControlServerOptions options_;
  std::list<Conversation> conversations_;  // the thread's
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Open(
    const std::string& path, ControlHandler handler,
    ControlServerOptions options) {
  TIELINE_ASSIGN_OR_RETURN(Listener listener, Listener::Open(path));
  Fd wake(eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) {
    return control::SocketError(path, "make its waker", errno);
  }
  auto core = std::make_unique<Core>(std::move(listener), std::move(wake),
                                     std::move(handler), options);
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(core)));
}

ControlServer::ControlServer(std::unique_ptr<Core> core)
    : core_(std::move(core)) {}

ControlServer::~ControlServer() = default;

const std::string& ControlServer::path() const { return core_->path(); }

}  // namespace tieline::inline v0
