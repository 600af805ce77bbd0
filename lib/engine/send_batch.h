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
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/fetch.h"
#include "lib/base/slab.h"
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
  // At an earlier driver, and behind another in its key's window, which points
  // to it as well.
  static constexpr uint8_t kBehind = 16;
  // Is being written to the spool.
  static constexpr uint8_t kSpooling = 32;
  // Nothing submits it before what is sent again.
  static constexpr uint8_t kAside = 64;

  // Of one message, which needs no memory beside its own.
  explicit SendBatchState(Message message) : results(&one_, 1) {
    Own(one_, std::move(message));
  }
  // Takes the messages out of the span.
  explicit SendBatchState(std::span<Message> messages)
      : many_(messages.size()) {
    results = many_;
    for (size_t i = 0; i < messages.size(); ++i) {
      Own(many_[i], std::move(messages[i]));
    }
  }
  SendBatchState(const SendBatchState&) = delete;
  SendBatchState& operator=(const SendBatchState&) = delete;
  virtual ~SendBatchState() { FreeMessages(); }

  // NOLINTNEXTLINE(misc-new-delete-overloads): the sized one is its match
  static void* operator new(size_t size) { return SlabAllocate(size); }
  static void operator delete(void* block, size_t size) {
    SlabFree(block, size);
  }

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // All results are final: wakes the waiting caller.
  void Finish() {
    state_.store(held == 0 ? kMovable : kFinished, std::memory_order_release);
    state_.notify_all();
  }
  // For the waiting caller.
  void WaitFinished() const { state_.wait(kWaiting); }
  // After WaitFinished, or when no sender took it. Copies where the driver
  // still holds a message.
  std::vector<SendResult> TakeResults() {
    if (MayMove()) return std::move(many_);
    return many_;
  }
  SendResult TakeResult() {
    if (MayMove()) return std::move(one_);
    return one_;
  }

  static SendBatchState* BatchOf(const SendResult& r) { return r.batch_; }
  static uint8_t& FlagsOf(SendResult& r) { return r.flags_; }
  static bool IsResolved(const SendResult& r) {
    return (r.flags_ & kResolved) != 0;
  }
  size_t IndexOf(const SendResult& r) const {
    return static_cast<size_t>(&r - results.data());
  }

  std::span<SendResult> results;
  SendCallback callback;
  SendObserver* observer = nullptr;
  absl::Time deadline = absl::InfiniteFuture();  // steady
  uint64_t bytes = 0;
  // The order in which messages were given: by the batch, then in it. What is
  // read from the spool keeps the numbers that it had.
  uint64_t sequence = 0;
  uint64_t first_index = 0;
  bool from_spool = false;
  // Its messages have the stamps that they are to be sent with.
  bool keeps_stamp = false;
  uint64_t flush_group = 0;  // FlushGroups
  // In the sender's strand.
  uint32_t unresolved = 0;  // results not final
  uint32_t held = 0;        // results that queues or the driver still point to
  size_t next = 0;          // first result not looked at yet
  // The sender's list of the batches that it holds, and DeadlineQueue's.
  SendBatchState* newer = nullptr;
  SendBatchState* older = nullptr;
  SendBatchState* later = nullptr;
  SendBatchState* sooner = nullptr;
  enum class Timer : uint8_t { kNone, kInOrder, kApart };
  Timer timer = Timer::kNone;

 private:
  static constexpr int kWaiting = 0;
  static constexpr int kFinished = 1;
  static constexpr int kMovable = 2;

  void Own(SendResult& result, Message message) {
    result.message = std::move(message);
    result.batch_ = this;
    ++unresolved;
    ++held;
  }
  // By the time that a batch goes, its messages are in no cache.
  void FreeMessages() {
    constexpr size_t kAhead = 4;
    constexpr size_t kLines = 4;
    for (size_t i = 0; i < many_.size(); ++i) {
      if (i + kAhead < many_.size()) {
        Fetch(many_[i + kAhead].message.rep(), kLines);
      }
      many_[i].message = Message();
    }
  }
  bool MayMove() const {
    return state_.load(std::memory_order_acquire) != kFinished;
  }

  std::atomic<int> refs_{2};
  std::atomic<int> state_{kWaiting};
  SendResult one_;
  std::vector<SendResult> many_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SEND_BATCH_H_
