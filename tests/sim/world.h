// World: one run of a scenario: its brokers, processes and producers on one
// timeline, run until all is quiet or too much time has passed.
#ifndef TIELINE_TESTS_SIM_WORLD_H_
#define TIELINE_TESTS_SIM_WORLD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"
#include "tests/sim/producer.h"
#include "tests/sim/scenario.h"
#include "tests/sim/steps.h"
#include "tests/sim/timeline.h"

namespace tieline::sim {

class World {
 public:
  explicit World(Scenario scenario);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void Run();
  // Something outside it went wrong.
  void Violate(int invariant, std::string text) {
    ledger_.Violate(invariant, -1, std::move(text));
  }

  const Scenario& scenario() const { return scenario_; }
  const Ledger& ledger() const { return ledger_; }
  absl::Time start() const { return start_; }
  // What it took: virtual time, and rounds of the runners.
  absl::Duration virtual_time() const { return timeline_.now() - start_; }
  uint64_t rounds() const;
  absl::Duration stalled() const { return stalled_; }
  // All processes are where the config says, and listen nowhere else.
  bool HaveMoved() const;
  // Where the queue that moves is now.
  const std::string& present_broker() const;
  const std::vector<std::unique_ptr<SimBroker>>& brokers() const {
    return brokers_;
  }
  const std::vector<std::unique_ptr<Process>>& processes() const {
    return processes_;
  }

 private:
  // Messages that were there before all of this: others' in their time.
  void Prefill();
  void Begin(int process);
  void Kill(int process, Restart restart, absl::Duration length);
  void Plan(const Fault& fault);
  void Do(const Fault& fault);
  void DoToBroker(const Fault& fault, SimBroker& broker);
  void DoToProcess(const Fault& fault, int number);
  void EndFaults();
  void PlanMoves();
  // An operator: has every process apply the config, sooner or later, again
  // where it was refused, until all are where it says.
  void ApplyConfig();
  void ApplyConfigAt(int number);
  void Step(absl::Time until);
  bool IsQuiet() const;

  const Scenario scenario_;
  Config config_;  // as it is now
  Timeline timeline_;
  const absl::Time start_ = timeline_.now();
  Ledger ledger_;
  MoveSteps steps_{&ledger_};
  Rng rng_;
  SimNetwork network_;
  std::vector<std::unique_ptr<SimBroker>> brokers_;
  Process::Brokers by_name_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Moving>> movings_;
  bool applies_ = false;  // ApplyConfig is to come
  absl::Duration stalled_;
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_WORLD_H_
