// SendBatchState: the messages given to a sender in one call, their results,
// and who waits for them.
//
// Two parties hold it: the sender (while any of its results is queued or at
// the driver) and the one that waits (a caller, a callback or an observer).
#ifndef TIELINE_LIB_ENGINE_SEND_BATCH_H_
#define TIELINE_LIB_ENGINE_SEND_BATCH_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

class SendBatchState;

// Watches single results of a batch, in the sender's strand: routes.
class SendObserver {
 public:
  // `result` has its final state; `batch` is this observer's to use until it
  // returns from the last of its results.
  virtual void OnResolved(SendBatchState& batch, SendResult& result) = 0;
  // The broker refused it. True: it is to be tried again, its key held back.
  virtual bool OnRejected(SendBatchState& batch, SendResult& result,
                          const absl::Status& why) = 0;
  // It was given to the driver for the first time.
  virtual void OnSubmitted(SendBatchState& batch, SendResult& result) = 0;
  // The driver's outcomes of one turn are through.
  virtual void OnTurnEnd() = 0;

 protected:
  ~SendObserver() = default;
};

class SendBatchState {
 public:
  // Flags of a SendResult.
  static constexpr uint8_t kResolved = 1;
  static constexpr uint8_t kMaybeTaken = 2;  // an earlier try is in doubt
  static constexpr uint8_t kAtDriver = 4;
  static constexpr uint8_t kKeyed = 8;  // holds its key in the window

  // Takes the messages out of the span.
  explicit SendBatchState(std::span<Message> messages) {
    results.resize(messages.size());
    for (size_t i = 0; i < messages.size(); ++i) {
      results[i].message = std::move(messages[i]);
      results[i].batch_ = this;
    }
    unresolved = held = static_cast<uint32_t>(results.size());
  }
  virtual ~SendBatchState() = default;

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // All results are final: wakes the waiting caller.
  void Finish() {
    MutexLock lock(&mu_);
    finished_ = true;
    movable_ = held == 0;
    cv_.NotifyAll();
  }
  // For the waiting caller. Copies where the driver still holds a message.
  std::vector<SendResult> WaitFinished() {
    MutexLock lock(&mu_);
    while (!finished_) cv_.Wait(&mu_);
    return movable_ ? std::move(results) : results;
  }

  static SendBatchState* BatchOf(const SendResult& r) { return r.batch_; }
  static uint8_t& FlagsOf(SendResult& r) { return r.flags_; }
  size_t IndexOf(const SendResult& r) const {
    return static_cast<size_t>(&r - results.data());
  }

  std::vector<SendResult> results;
  SendCallback callback;
  SendObserver* observer = nullptr;
  absl::Time deadline = absl::InfiniteFuture();  // steady
  uint64_t bytes = 0;
  uint64_t sequence = 0;
  // In the sender's strand.
  uint32_t unresolved = 0;  // results not final
  uint32_t held = 0;        // results that queues or the driver still point to
  size_t next = 0;          // first result not looked at yet
  // The sender's list of the batches that it holds.
  SendBatchState* newer = nullptr;
  SendBatchState* older = nullptr;

 private:
  std::atomic<int> refs_{2};
  Mutex mu_;
  Condition cv_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool movable_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SEND_BATCH_H_
