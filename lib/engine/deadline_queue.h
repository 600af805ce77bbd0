// DeadlineQueue: batches by deadline. Batches of one time-out come in the
// order of their deadlines and are linked to one another; those that come out
// of order are kept apart, in a tree. Neither the number of batches nor the
// mixture of time-outs makes a batch dearer than that tree's logarithm.
#ifndef TIELINE_LIB_ENGINE_DEADLINE_QUEUE_H_
#define TIELINE_LIB_ENGINE_DEADLINE_QUEUE_H_

#include <algorithm>
#include <map>

#include "absl/time/time.h"
#include "lib/engine/send_batch.h"

namespace tieline::inline v0 {

class DeadlineQueue {
 public:
  void Add(SendBatchState* batch) {
    if (batch->deadline == absl::InfiniteFuture()) return;
    if (last_ != nullptr && batch->deadline < last_->deadline) {
      batch->timer = SendBatchState::Timer::kApart;
      apart_.emplace(batch->deadline, batch);
      return;
    }
    batch->timer = SendBatchState::Timer::kInOrder;
    batch->sooner = last_;
    (last_ == nullptr ? first_ : last_->later) = batch;
    last_ = batch;
  }
  void Remove(SendBatchState* batch) {
    if (batch->timer == SendBatchState::Timer::kApart) {
      auto [begin, end] = apart_.equal_range(batch->deadline);
      apart_.erase(std::find_if(begin, end, [&](const auto& entry) {
        return entry.second == batch;
      }));
    } else if (batch->timer == SendBatchState::Timer::kInOrder) {
      SendBatchState* const sooner = batch->sooner;
      SendBatchState* const later = batch->later;
      (sooner == nullptr ? first_ : sooner->later) = later;
      (later == nullptr ? last_ : later->sooner) = sooner;
    }
    batch->timer = SendBatchState::Timer::kNone;
    batch->sooner = batch->later = nullptr;
  }
  // The batch that is due first; null when none has a deadline.
  SendBatchState* First() const {
    if (apart_.empty()) return first_;
    SendBatchState* apart = apart_.begin()->second;
    if (first_ == nullptr) return apart;
    return apart->deadline < first_->deadline ? apart : first_;
  }
  absl::Time Next() const {
    const SendBatchState* first = First();
    return first == nullptr ? absl::InfiniteFuture() : first->deadline;
  }

 private:
  SendBatchState* first_ = nullptr;
  SendBatchState* last_ = nullptr;
  std::multimap<absl::Time, SendBatchState*> apart_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_DEADLINE_QUEUE_H_
