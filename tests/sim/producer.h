// Producer: an application that sends, asynchronously and in order, what the
// scenario planned, and tells the ledger what it gave and was told.
#ifndef TIELINE_TESTS_SIM_PRODUCER_H_
#define TIELINE_TESTS_SIM_PRODUCER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/process.h"
#include "tests/sim/rng.h"
#include "tests/sim/scenario.h"
#include "tests/sim/timeline.h"

namespace tieline::sim {

class Producer {
 public:
  Producer(const PlannedProducer* plan, int number, Process* process,
           Timeline* timeline, Ledger* ledger, Rng rng);

  // Opens its sender, in a process that has just started; false: it can't.
  bool Begin();
  // Its process was killed: what has no result will have none.
  void Forget();
  bool is_done() const {
    return next_ == plan_->sends.size() && waiting_.empty() && open_.empty();
  }

 private:
  struct Batch {
    std::vector<Message> messages;
    std::vector<int> numbers;
    absl::Duration timeout;
  };

  void ArmNext();
  Batch Make(const PlannedSend& send);
  // What waits, in order, as far as there is room.
  void Send();
  void OnResults(std::span<const SendResult> results);

  const PlannedProducer* const plan_;
  const int number_;
  Process* const process_;
  Timeline* const timeline_;
  Ledger* const ledger_;
  Rng rng_;
  Sender* sender_ = nullptr;
  int life_ = 0;      // of the process: results of an earlier one are nobody's
  size_t next_ = 0;   // of the plan's sends
  int sequence_ = 0;  // of its messages
  bool retries_ = false;
  std::deque<Batch> waiting_;
  std::set<int> open_;  // given, without a result
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_PRODUCER_H_
