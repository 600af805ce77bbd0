#include "adapters/kafka/background.h"

#include <pthread.h>

#include <memory>
#include <utility>
#include <vector>

#include "adapters/kafka/reaper.h"

namespace tieline::inline v0 {
namespace kafka {

struct Background::Shared {
  std::atomic<bool> stop{false};
  Mutex mutex;
  Condition work;
  std::deque<Job> jobs ABSL_GUARDED_BY(mutex);
  std::vector<Result> results ABSL_GUARDED_BY(mutex);
  driver::Waker* waker ABSL_GUARDED_BY(mutex) = nullptr;
  std::atomic<bool> has_results{false};
};

Background::Background(driver::Waker* waker)
    : shared_(std::make_shared<Shared>()) {
  MutexLock lock(&shared_->mutex);
  shared_->waker = waker;
}

Background::~Background() {
  {
    MutexLock lock(&shared_->mutex);
    shared_->stop.store(true, std::memory_order_relaxed);
    shared_->jobs.clear();
    shared_->waker = nullptr;
    shared_->work.NotifyAll();
  }
  if (!thread_.joinable()) return;
  auto thread = std::make_shared<std::thread>(std::move(thread_));
  Reaper::Get().Post([thread] { thread->join(); });
}

bool Background::Post(Job job) {
  MutexLock lock(&shared_->mutex);
  if (shared_->jobs.size() >= kMaxJobs) return false;
  shared_->jobs.push_back(std::move(job));
  shared_->work.NotifyOne();
  if (!thread_.joinable()) {
    thread_ = std::thread([shared = shared_] { Run(shared); });
  }
  return true;
}

size_t Background::RunResults() {
  if (!shared_->has_results.load(std::memory_order_acquire)) return 0;
  std::vector<Result> results;
  {
    MutexLock lock(&shared_->mutex);
    results.swap(shared_->results);
    shared_->has_results.store(false, std::memory_order_release);
  }
  for (Result& result : results) result();
  return results.size();
}

void Background::Run(const std::shared_ptr<Shared>& shared) {
  pthread_setname_np(pthread_self(), "kafka-ask");
  for (;;) {
    Job job;
    {
      MutexLock lock(&shared->mutex);
      while (shared->jobs.empty()) {
        if (shared->stop.load(std::memory_order_relaxed)) return;
        shared->work.Wait(&shared->mutex);
      }
      job = std::move(shared->jobs.front());
      shared->jobs.pop_front();
    }
    Result result = job(shared->stop);
    job = nullptr;
    MutexLock lock(&shared->mutex);
    if (shared->waker == nullptr) return;
    shared->results.push_back(std::move(result));
    shared->has_results.store(true, std::memory_order_release);
    // Under the lock, so that the waker is still there.
    shared->waker->Wake();
  }
}

}  // namespace kafka
}  // namespace tieline::inline v0
