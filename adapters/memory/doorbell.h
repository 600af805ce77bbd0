// Doorbell: how a queue wakes a connection that may be gone by then.
//
// Shared by the connection and whatever it waits at. Threads: Ring and the
// flags from any thread; Silence by the connection. The mutex is a leaf: the
// waker is called under it, so that it can't be destroyed meanwhile.
#ifndef TIELINE_ADAPTERS_MEMORY_DOORBELL_H_
#define TIELINE_ADAPTERS_MEMORY_DOORBELL_H_

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace memory {

class Doorbell {
 public:
  explicit Doorbell(driver::Waker* waker) : waker_(waker) {}

  void Ring() {
    if (rung_.exchange(true, std::memory_order_acq_rel)) return;
    MutexLock lock(&mu_);
    if (waker_ != nullptr) waker_->Wake();
  }
  // True when it was rung since the last time.
  bool TakeRing() {
    return rung_.load(std::memory_order_relaxed) &&
           rung_.exchange(false, std::memory_order_acq_rel);
  }
  // No Wake is called any more once this returned.
  void Silence() {
    MutexLock lock(&mu_);
    waker_ = nullptr;
  }
  // The connection is to be lost.
  void Drop() {
    dropped_.store(true, std::memory_order_release);
    Ring();
  }
  bool dropped() const { return dropped_.load(std::memory_order_acquire); }

 private:
  Mutex mu_;
  driver::Waker* waker_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> rung_ = false;
  std::atomic<bool> dropped_ = false;
};

// Bells to ring once no lock is held.
class Rings {
 public:
  Rings() = default;
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  ~Rings() {
    for (const auto& bell : bells_) bell->Ring();
  }
  void Add(std::shared_ptr<Doorbell> bell) {
    bells_.push_back(std::move(bell));
  }

 private:
  std::vector<std::shared_ptr<Doorbell>> bells_;
};

// A sender that was told that a queue is full.
struct Vacancy {
  std::shared_ptr<Doorbell> bell;
  std::atomic<bool> sendable = false;
};

}  // namespace memory
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_MEMORY_DOORBELL_H_
