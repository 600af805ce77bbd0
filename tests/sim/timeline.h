// Timeline: virtual time, and what is to happen when. Steps of one moment run
// in the order in which they were asked for.
#ifndef TIELINE_TESTS_SIM_TIMELINE_H_
#define TIELINE_TESTS_SIM_TIMELINE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "tieline/clock.h"

namespace tieline::sim {

class Timeline {
 public:
  using Step = std::function<void()>;

  absl::Time now() const { return now_; }
  absl::Duration since_start() const { return now_ - kStart; }

  void At(absl::Time when, Step step) {
    uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(steps_.size());
      steps_.push_back(std::move(step));
    } else {
      slot = free_.back();
      free_.pop_back();
      steps_[slot] = std::move(step);
    }
    heap_.push_back({std::max(when, now_), next_++, slot});
    std::push_heap(heap_.begin(), heap_.end());
  }
  void After(absl::Duration wait, Step step) {
    At(now_ + wait, std::move(step));
  }
  // When the next step is due.
  absl::Time next() const {
    return heap_.empty() ? absl::InfiniteFuture() : heap_.front().when;
  }
  // Moves time, which never falls, and runs what is due by then.
  void RunUntil(absl::Time when) {
    while (next() <= when) {
      const Entry entry = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
      now_ = entry.when;
      const Step step = std::exchange(steps_[entry.slot], nullptr);
      free_.push_back(entry.slot);
      step();
    }
    now_ = std::max(now_, when);
  }

 private:
  struct Entry {
    absl::Time when;
    uint64_t number = 0;
    uint32_t slot = 0;
    // The heap's first is the one that is due first.
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.when != b.when ? a.when > b.when : a.number > b.number;
    }
  };

  static inline const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
  absl::Time now_ = kStart;
  uint64_t next_ = 0;
  std::vector<Entry> heap_;
  std::vector<Step> steps_;
  std::vector<uint32_t> free_;
};

class Process;

// A process's clocks: steady time is the timeline's, calendar time may jump.
// The driver finds its process by it.
class SimClock final : public Clock {
 public:
  SimClock(const Timeline* timeline, Process* process)
      : timeline_(timeline), process_(process) {}
  Process* process() const { return process_; }
  absl::Time Now() const override { return timeline_->now() + jump_; }
  absl::Time Steady() const override { return timeline_->now(); }
  void Jump(absl::Duration by) { jump_ += by; }

 private:
  const Timeline* const timeline_;
  Process* const process_;
  absl::Duration jump_;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_TIMELINE_H_
