#include "lib/engine/runner.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tieline::inline v0 {
namespace {

// With a clock that is not the system's, time passes when the test says so.
constexpr absl::Duration kManualClockPoll = absl::Milliseconds(1);
constexpr uint64_t kWakeId = 0;

uint32_t EventsOf(const driver::PollSet& set) {
  return (set.read ? EPOLLIN : 0u) | (set.write ? EPOLLOUT : 0u);
}

}  // namespace

Runner::Runner(Clock* clock)
    : clock_(clock), real_time_(clock == Clock::System()) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event);
}

Runner::~Runner() {
  StopThread();
  close(wake_fd_);
  close(epoll_fd_);
}

void Runner::StartThread() {
  thread_ = std::thread([this] { Loop(); });
  pthread_setname_np(thread_.native_handle(), "tieline-run");
}

void Runner::StopThread() {
  if (!thread_.joinable()) return;
  stop_ = true;
  Interrupt();
  thread_.join();
}

void Runner::End() {
  StopThread();
  {
    MutexLock lock(&mu_);
    ended_ = true;
  }
  RunOnce(absl::ZeroDuration());
}

void Runner::Loop() {
  while (!stop_) RunOnce(absl::InfiniteDuration());
  RunOnce(absl::ZeroDuration());  // what was posted before the end
}

bool Runner::OnThread() const {
  return inside_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

void Runner::Interrupt() const {
  const uint64_t one = 1;
  // A full counter wakes as well: nothing is lost when this fails.
  [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof one);
}

void Runner::Schedule(Runnable* runnable) {
  if (runnable->queued_.exchange(true, std::memory_order_acq_rel)) return;
  bool wake = false;
  bool late = false;
  {
    MutexLock lock(&mu_);
    late = ended_;
    if (!late) {
      ready_.push_back(runnable->shared_from_this());
      wake = std::exchange(sleeping_, false);
    }
  }
  if (wake) Interrupt();
  if (!late) return;
  runnable->queued_.store(false, std::memory_order_release);
  runnable->RunTooLate();
}

void Runner::DropTimer(Runnable* runnable) {
  auto [begin, end] = timers_.equal_range(runnable->timer_);
  for (auto it = begin; it != end; ++it) {
    if (it->second.get() == runnable) {
      timers_.erase(it);
      break;
    }
  }
  runnable->SetTimer(absl::InfiniteFuture());
}

void Runner::ScheduleAt(Runnable* runnable, absl::Time when,
                        absl::Duration slack) {
  if (when == absl::InfiniteFuture()) return;
  if (runnable->due_ns_.load(std::memory_order_acquire) <=
      absl::ToUnixNanos(when + slack)) {
    return;
  }
  bool wake = false;
  {
    MutexLock lock(&mu_);
    if (runnable->timer_ <= when) return;
    DropTimer(runnable);
    runnable->SetTimer(when);
    timers_.emplace(when, runnable->shared_from_this());
    if (sleeping_ && when < sleep_until_) {
      sleeping_ = false;
      wake = true;
    }
  }
  if (wake) Interrupt();
}

void Runner::Watch(Runnable* runnable, driver::PollSet set) {
  MutexLock lock(&mu_);
  driver::PollSet& now = runnable->poll_set_;
  if (now.fd == set.fd && now.read == set.read && now.write == set.write) {
    return;
  }
  epoll_event event{};
  event.events = EventsOf(set);
  if (now.fd >= 0 && now.fd != set.fd) {
    // The descriptor may be closed already: the kernel has then forgotten it.
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, now.fd, nullptr);
    watched_.erase(runnable->poll_id_);
    now.fd = -1;
  }
  if (set.fd >= 0) {
    if (now.fd < 0) {
      runnable->poll_id_ = next_poll_id_++;
      watched_[runnable->poll_id_] = runnable->shared_from_this();
    }
    event.data.u64 = runnable->poll_id_;
    const int op = now.fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(epoll_fd_, op, set.fd, &event) != 0) {
      epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, set.fd, &event);
    }
  }
  now = set;
}

void Runner::Forget(Runnable* runnable) {
  Watch(runnable, {});
  MutexLock lock(&mu_);
  DropTimer(runnable);
}

void Runner::Post(std::function<void()> work) {
  bool wake = false;
  {
    MutexLock lock(&mu_);
    if (!ended_) {
      posted_.push_back(std::exchange(work, nullptr));
      wake = std::exchange(sleeping_, false);
    }
  }
  if (wake) Interrupt();
  if (work) work();
}

void Runner::CollectTimers(absl::Time now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    std::shared_ptr<Runnable> r = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    r->SetTimer(absl::InfiniteFuture());
    if (!r->queued_.exchange(true)) ready_.push_back(std::move(r));
  }
}

absl::Duration Runner::SleepTime(absl::Duration max_wait, absl::Time now) {
  if (!ready_.empty() || !posted_.empty()) return absl::ZeroDuration();
  absl::Duration wait = max_wait;
  if (!timers_.empty()) {
    wait = std::min(wait, timers_.begin()->first - now);
    if (!real_time_) wait = std::min(wait, kManualClockPoll);
  }
  return std::max(wait, absl::ZeroDuration());
}

void Runner::Poll(absl::Duration wait) {
  std::array<epoll_event, 64> events;
  const absl::Duration up = wait == absl::InfiniteDuration()
                                ? wait
                                : absl::Ceil(wait, absl::Milliseconds(1));
  const int timeout = up == absl::InfiniteDuration()
                          ? -1
                          : static_cast<int>(std::min<int64_t>(
                                absl::ToInt64Milliseconds(up), 3600000));
  const int n = epoll_wait(epoll_fd_, events.data(),
                           static_cast<int>(events.size()), timeout);
  MutexLock lock(&mu_);
  sleeping_ = false;
  for (int i = 0; i < n; ++i) {
    const uint64_t id = events[static_cast<size_t>(i)].data.u64;
    if (id == kWakeId) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t r = read(wake_fd_, &count, sizeof count);
      continue;
    }
    auto it = watched_.find(id);
    if (it != watched_.end() && !it->second->queued_.exchange(true)) {
      ready_.push_back(it->second);
    }
  }
}

absl::Time Runner::RunOnce(absl::Duration max_wait) {
  // A host whose bus is being closed: the bus runs itself.
  if (running_.exchange(true, std::memory_order_acq_rel)) {
    std::this_thread::yield();
    return absl::InfiniteFuture();
  }
  inside_ = std::this_thread::get_id();
  absl::Duration wait;
  {
    MutexLock lock(&mu_);
    const absl::Time now = clock_->Steady();
    CollectTimers(now);
    wait = SleepTime(max_wait, now);
    sleeping_ = wait > absl::ZeroDuration();
    sleep_until_ = now + wait;
  }
  Poll(wait);
  absl::Time now = clock_->Steady();
  {
    MutexLock lock(&mu_);
    CollectTimers(now);
    running_now_.swap(ready_);
  }
  for (std::shared_ptr<Runnable>& r : running_now_) {
    r->queued_.store(false, std::memory_order_release);
    r->RunFromRunner(now);
    r.reset();
  }
  running_now_.clear();
  {
    MutexLock lock(&mu_);
    posting_.swap(posted_);
  }
  for (std::function<void()>& work : posting_) work();
  posting_.clear();
  absl::Time next = absl::InfiniteFuture();
  {
    MutexLock lock(&mu_);
    if (!ready_.empty() || !posted_.empty()) {
      next = absl::InfinitePast();
    } else if (!timers_.empty()) {
      next = timers_.begin()->first;
    }
    // A host sleeps on the descriptor until then.
    sleeping_ = true;
    sleep_until_ = next;
  }
  inside_ = std::thread::id();
  running_.store(false, std::memory_order_release);
  return next;
}

}  // namespace tieline::inline v0
