// MoveSteps: what processes say of a queue's move in their log, and what of it
// can't be right.
#ifndef TIELINE_TESTS_SIM_STEPS_H_
#define TIELINE_TESTS_SIM_STEPS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/sim/ledger.h"

namespace tieline::sim {

class MoveSteps {
 public:
  explicit MoveSteps(Ledger* ledger) : ledger_(ledger) {}

  // A word for a dead broker may be given: by the config, for one that was
  // silent.
  void MayGiveUp(const std::string& broker) { silent_.insert(broker); }
  // A line of a process's log.
  void OnLog(int process, std::string_view line);
  // It starts, and is there by its record.
  void OnStart(int process, uint64_t generation);
  // It was killed: a step may be on its disk that it did not tell of.
  void OnKilled(int process) { known_[process].untold = true; }
  // Its record is gone, or an older one has its place.
  void OnForgotten(int process) {
    known_[process] = {};
    known_[process].forgot = true;
    ledger_->OnForgottenProcess();
  }

 private:
  struct Known {
    bool forgot = false;
    bool untold = false;
    uint64_t generation = 0;
    std::set<uint64_t> proved;
  };

  // By this process or another one.
  bool WasProved(uint64_t generation) const;

  Ledger* const ledger_;
  std::set<std::string, std::less<>> silent_;
  std::map<int, Known> known_;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_STEPS_H_
