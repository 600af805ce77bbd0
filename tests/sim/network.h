// SimNetwork: how the processes of the simulation ask each other, in place of
// control sockets. A process that is not there does not answer, and one that is
// stalled answers when it runs again, or too late.
#ifndef TIELINE_TESTS_SIM_NETWORK_H_
#define TIELINE_TESTS_SIM_NETWORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "lib/move/members.h"
#include "tests/sim/process.h"
#include "tests/sim/rng.h"
#include "tests/sim/timeline.h"

namespace tieline::sim {

// Every bus joins it, as long as it is there.
class SimNetwork final : public MemberNetwork {
 public:
  SimNetwork(Timeline* timeline, Rng rng);
  ~SimNetwork() override;
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  std::unique_ptr<Members> Join(const Clock* clock, Answer answer) override;

 private:
  class Desk;
  struct Asking;

  void GoOn(const std::shared_ptr<Asking>& asking);
  void Reach(const std::shared_ptr<Asking>& asking);
  void AskNow(const std::shared_ptr<Asking>& asking);
  void Fail(const std::shared_ptr<Asking>& asking, absl::Status status);
  absl::Duration Latency();

  Timeline* const timeline_;
  Rng rng_;
  uint64_t joined_ = 0;
  std::map<std::string, Desk*> desks_;  // by the process's address
};

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_NETWORK_H_
