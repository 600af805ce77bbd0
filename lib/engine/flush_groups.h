// FlushGroups: counts the messages that have no result yet, so that a flush
// waits for those that were given before it, and for no others.
//
// Messages belong to the newest group; a flush closes that group and waits
// until it and all older ones are empty. There are at most as many groups as
// there are flushes with something to wait for.
#ifndef TIELINE_LIB_ENGINE_FLUSH_GROUPS_H_
#define TIELINE_LIB_ENGINE_FLUSH_GROUPS_H_

#include <cstdint>
#include <deque>

namespace tieline::inline v0 {

class FlushGroups {
 public:
  // The group that `n` messages given now belong to.
  uint64_t Add(uint64_t n) {
    pending_.back() += n;
    return oldest_ + pending_.size() - 1;
  }
  void Resolve(uint64_t group, uint64_t n) {
    pending_[group - oldest_] -= n;
    while (pending_.size() > 1 && pending_.front() == 0) {
      pending_.pop_front();
      ++oldest_;
    }
  }
  // A mark that lies behind all that was given.
  uint64_t Mark() {
    if (pending_.back() > 0) pending_.push_back(0);
    return oldest_ + pending_.size() - 1;
  }
  // Nothing before `mark` is without a result.
  bool Passed(uint64_t mark) const { return oldest_ >= mark; }
  uint64_t PendingBefore(uint64_t mark) const {
    uint64_t n = 0;
    for (uint64_t group = oldest_; group < mark; ++group) {
      n += pending_[group - oldest_];
    }
    return n;
  }

 private:
  uint64_t oldest_ = 0;
  std::deque<uint64_t> pending_ = {0};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_FLUSH_GROUPS_H_
