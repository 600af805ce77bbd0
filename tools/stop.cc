#include "tools/stop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tieline::tools {
namespace {

struct State {
  std::stop_source source;
  std::atomic<int> signal{0};
  std::mutex mu;
  std::condition_variable stopped;
};

State& TheState() {
  static auto* state = new State;  // used by a thread until the process ends
  return *state;
}

std::atomic<bool> g_hangup{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// The only thread that receives these signals. Ends with the process.
void Watch(sigset_t set) {
  State& state = TheState();
  int number = 0;
  while (sigwait(&set, &number) == 0) {
    if (state.signal.load() != 0) _exit(128 + number);
    {
      std::lock_guard lock(state.mu);
      state.signal.store(number);
    }
    state.stopped.notify_all();
    state.source.request_stop();
  }
}

}  // namespace

void WatchSignals() {
  TheState();
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread watcher(Watch, set);
  pthread_setname_np(watcher.native_handle(), "signals");
  watcher.detach();
}

std::stop_token StopToken() { return TheState().source.get_token(); }

int StopSignal() { return TheState().signal.load(); }

bool WaitForStop(absl::Duration duration) {
  State& state = TheState();
  std::unique_lock lock(state.mu);
  return state.stopped.wait_for(lock, absl::ToChronoNanoseconds(duration),
                                [&] { return state.signal.load() != 0; });
}

void WatchHangups() {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_hangup.store(true); };
  action.sa_flags = SA_RESTART;
  sigaction(SIGHUP, &action, nullptr);
}

bool TakeHangup() { return g_hangup.exchange(false); }

}  // namespace tieline::tools
