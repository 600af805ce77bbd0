// Checks what a program received, whoever received it.
#ifndef TIELINE_BENCHMARKS_END_TO_END_CHECKER_H_
#define TIELINE_BENCHMARKS_END_TO_END_CHECKER_H_

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "benchmarks/end_to_end/bench.h"

namespace tieline::bench {

// Counts what arrives: lost, twice, or before an earlier one of its key.
class MessageChecker {
 public:
  explicit MessageChecker(const Flags& flags)
      : keys_(flags.keys), seen_(flags.count), last_(flags.keys, -1) {}
  void Take(std::string_view body) {
    uint64_t number = ~uint64_t{0};
    if (body.size() >= sizeof(number)) {
      std::memcpy(&number, body.data(), sizeof(number));
    }
    if (number >= seen_.size() || seen_[number]) {
      ++extra_;
      return;
    }
    seen_[number] = true;
    ++distinct_;
    if (keys_ == 0) return;
    int64_t& last = last_[number % keys_];
    if (last > static_cast<int64_t>(number)) ++disordered_;
    last = static_cast<int64_t>(number);
  }
  size_t distinct() const { return distinct_; }
  bool complete() const { return distinct_ == seen_.size(); }
  size_t lost() const { return seen_.size() - distinct_; }
  size_t disordered() const { return disordered_; }
  size_t extra() const { return extra_; }

 private:
  const size_t keys_;
  std::vector<bool> seen_;
  std::vector<int64_t> last_;
  size_t distinct_ = 0;
  size_t disordered_ = 0;
  size_t extra_ = 0;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_CHECKER_H_
