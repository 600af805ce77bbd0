// SettlementQueue: settlements on their way to the driver, with the texts that
// they point to.
//
// Threads: none of its own. One that fills is guarded by ReceiverLeg::mu_; it
// is swapped with one that is the strand's, and both keep their memory.
#ifndef TIELINE_LIB_ENGINE_SETTLEMENT_QUEUE_H_
#define TIELINE_LIB_ENGINE_SETTLEMENT_QUEUE_H_

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tieline/driver/types.h"

namespace tieline::inline v0 {

class SettlementQueue {
 public:
  void Push(const driver::Token& token, driver::Verb verb,
            std::string_view reason, std::string_view detail) {
    settlements_.push_back({token, verb, nullptr, Keep(reason), Keep(detail)});
  }
  bool empty() const { return settlements_.empty(); }
  size_t size() const { return settlements_.size(); }
  std::span<const driver::Settlement> all() const { return settlements_; }
  void Clear() {
    settlements_.clear();
    texts_.clear();
  }
  void Swap(SettlementQueue* other) {
    settlements_.swap(other->settlements_);
    texts_.swap(other->texts_);
  }

 private:
  std::string_view Keep(std::string_view text) {
    return text.empty() ? text : texts_.emplace_back(text);
  }

  std::vector<driver::Settlement> settlements_;
  std::deque<std::string> texts_;  // which do not move
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SETTLEMENT_QUEUE_H_
