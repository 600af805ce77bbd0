#include "adapters/kafka/reaper.h"

#include <pthread.h>

#include <utility>

namespace tieline::inline v0 {
namespace kafka {

Reaper& Reaper::Get() {
  static Reaper reaper;
  return reaper;
}

Reaper::~Reaper() {
  Drain();
  std::thread last;
  {
    MutexLock lock(&mutex_);
    last = std::move(thread_);
  }
  if (last.joinable()) last.join();
}

void Reaper::Post(std::function<void()> job) {
  MutexLock lock(&mutex_);
  jobs_.push_back(std::move(job));
  if (running_) return;
  // The former thread has nothing left to do but return.
  if (thread_.joinable()) thread_.join();
  running_ = true;
  thread_ = std::thread([this] { Run(); });
}

void Reaper::Drain() {
  MutexLock lock(&mutex_);
  while (running_) idle_.Wait(&mutex_);
}

void Reaper::Run() {
  pthread_setname_np(pthread_self(), "kafka-reaper");
  for (;;) {
    std::function<void()> job;
    {
      MutexLock lock(&mutex_);
      if (jobs_.empty()) {
        running_ = false;
        idle_.NotifyAll();
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace kafka
}  // namespace tieline::inline v0
