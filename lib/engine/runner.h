// Runner: the loop that runs endpoints when their descriptors are ready, their
// time has come, or someone woke them; on a thread of its own or the host's.
//
// Threads: RunOnce on one thread; everything else on any.
#ifndef TIELINE_LIB_ENGINE_RUNNER_H_
#define TIELINE_LIB_ENGINE_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "tieline/clock.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {

// Something that a runner runs.
class Runnable {
 public:
  virtual ~Runnable() = default;
  // Called by the runner's thread.
  virtual void RunFromRunner(absl::Time now) = 0;

 private:
  friend class Runner;
  std::atomic<bool> queued_{false};
  // Guarded by the runner's mutex.
  absl::Time timer_ = absl::InfiniteFuture();
  uint64_t poll_id_ = 0;
  driver::PollSet poll_set_;
};

class Runner {
 public:
  explicit Runner(Clock* clock);
  ~Runner();

  // Begins the runner's own thread.
  void StartThread();
  // Ends it, after the round in progress.
  void StopThread();

  void Schedule(std::shared_ptr<Runnable> runnable);
  // At `when` (steady) at the latest.
  void ScheduleAt(std::shared_ptr<Runnable> runnable, absl::Time when);
  // Watches the descriptor of `runnable` (none when fd is -1).
  void Watch(const std::shared_ptr<Runnable>& runnable, driver::PollSet set);
  // Forgets it: no timer, no descriptor. A run in progress goes on.
  void Forget(const std::shared_ptr<Runnable>& runnable);
  // Runs `work` on the runner's thread, after the endpoints of a round.
  void Post(std::function<void()> work);

  // One round; waits for something to do up to `max_wait`. Returns when it
  // next needs to run (InfinitePast: at once).
  absl::Time RunOnce(absl::Duration max_wait);
  // Readable when RunOnce has something to do, timers aside.
  int fd() const { return epoll_fd_; }
  // True on the thread that is inside RunOnce of this runner.
  bool OnThread() const;
  Clock* clock() const { return clock_; }

 private:
  void Loop();
  void Interrupt();
  void CollectTimers(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Poll(absl::Duration wait);
  absl::Duration SleepTime(absl::Duration max_wait, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock* const clock_;
  const bool real_time_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> running_{false};
  std::atomic<std::thread::id> inside_{};

  Mutex mu_;
  std::vector<std::shared_ptr<Runnable>> ready_ ABSL_GUARDED_BY(mu_);
  std::multimap<absl::Time, std::shared_ptr<Runnable>> timers_
      ABSL_GUARDED_BY(mu_);
  std::unordered_map<uint64_t, std::shared_ptr<Runnable>> watched_
      ABSL_GUARDED_BY(mu_);
  uint64_t next_poll_id_ ABSL_GUARDED_BY(mu_) = 1;
  // Whoever runs it waits for the descriptor, or is about to.
  bool sleeping_ ABSL_GUARDED_BY(mu_) = true;
  absl::Time sleep_until_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RUNNER_H_
