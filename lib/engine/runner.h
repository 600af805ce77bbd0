// Runner: the loop that runs endpoints when their descriptors are ready, their
// time has come, or someone woke them; on a thread of its own or the host's.
//
// Threads: RunOnce on one thread; everything else on any.
#ifndef TIELINE_LIB_ENGINE_RUNNER_H_
#define TIELINE_LIB_ENGINE_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
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
class Runnable : public std::enable_shared_from_this<Runnable> {
 public:
  virtual ~Runnable() = default;
  // Called by the runner's thread.
  virtual void RunFromRunner(absl::Time now) = 0;
  // Called instead once the runner has ended, by whoever comes too late: it
  // tells all that it is over.
  virtual void RunTooLate() = 0;

 private:
  friend class Runner;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  void SetTimer(absl::Time when) {
    timer_ = when;
    due_ns_.store(
        when == absl::InfiniteFuture() ? kNever : absl::ToUnixNanos(when),
        std::memory_order_release);
  }

  std::atomic<bool> queued_{false};
  // When it is to be run, in nanoseconds; changed under the runner's mutex.
  // Who reads a time that is just being taken off finds it run soon anyway.
  std::atomic<int64_t> due_ns_{kNever};
  // The rest is guarded by the runner's mutex.
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
  // The last round. What is scheduled (RunTooLate) or posted from now on is run
  // at once, by whoever does so.
  void End();

  // All keep what they are given alive for as long as they know it.
  void Schedule(Runnable* runnable);
  // At `when` (steady) at the latest, or up to `slack` later where it is to be
  // run by then anyway; cheap when it will be run before.
  void ScheduleAt(Runnable* runnable, absl::Time when,
                  absl::Duration slack = absl::ZeroDuration());
  // Watches the descriptor of `runnable` (none when fd is -1).
  void Watch(Runnable* runnable, driver::PollSet set);
  // Forgets it: no timer, no descriptor. A run in progress goes on.
  void Forget(Runnable* runnable);
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
  void Interrupt() const;
  void DropTimer(Runnable* runnable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
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
  // Inside RunOnce: what it took out, kept for its memory.
  std::vector<std::shared_ptr<Runnable>> running_now_;
  std::vector<std::function<void()>> posting_;

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
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RUNNER_H_
