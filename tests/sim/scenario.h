// Scenario: all that a seed decides before a run begins: brokers, processes,
// traffic, options, faults. A value.
#ifndef TIELINE_TESTS_SIM_SCENARIO_H_
#define TIELINE_TESTS_SIM_SCENARIO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/broker.h"
#include "tieline/bus_options.h"
#include "tieline/config.h"
#include "tieline/sender.h"

namespace tieline::sim {

enum class FaultKind : uint8_t {
  kCut,          // a connection
  kBusy,         // a broker, for a while, as those below
  kMute,         // outcomes are lost
  kLate,         // outcomes are late
  kHoard,        // accepts and delivers nothing
  kSurfaceLate,  // some of what it accepts is seen seconds later
  kDoubtful,     // some outcomes are "unknown"
  kRefuse,       // some messages are rejected
  kCloseLinks,   // links are refused, and one is detached
  kPause,
  kDie,
  kDieWithData,
  kRebalance,  // partitions are taken away, in time or at once
  kStall,      // a process does not run
  kKill,       // a process ends, and another starts a little later
  kClockJump,  // a process's calendar time
  // Of a state file.
  kKillInWrite,  // a process ends in the middle of a write
  kFillDisk,
  kFailDisk,
  kRemember,  // a copy is made, for a later kill
};
inline constexpr int kFaultKinds = 20;
std::string_view FaultName(FaultKind kind);

// What a process that was killed finds when it starts again.
enum class Restart : uint8_t { kWithState, kOldCopy, kNothing };

struct Fault {
  FaultKind kind = FaultKind::kCut;
  absl::Duration at;
  absl::Duration length;
  int target = 0;  // a broker's or process's number
  bool is_hard = false;
  Restart restart = Restart::kNothing;
  int writes = 0;  // kKillInWrite: until then
};

// One producer's sends.
struct PlannedSend {
  absl::Duration at;
  int count = 1;
  absl::Duration timeout;
};
struct PlannedProducer {
  int process = 0;
  std::string queue;
  bool ordered = true;
  int keys = 1;  // 0: messages without a key
  absl::Duration ttl = absl::InfiniteDuration();
  SenderOptions options;
  std::vector<PlannedSend> sends;
};
struct PlannedRoute {
  int process = 0;
  RouteConfig config;
};

// The queue goes to another broker: the next generation of its binding.
struct PlannedMove {
  absl::Duration at;
  std::string to;
};

struct Scenario {
  // A process may start without what it knew.
  bool MayForget() const;

  uint64_t seed = 0;
  std::vector<BrokerTraits> brokers;  // the last is the sink
  int processes = 1;
  std::vector<absl::Duration> begins;  // of each process
  bool is_late = false;    // processes hear of a new config one after the other
  bool has_state = false;  // processes have state files
  Config config;
  BusOptions bus;
  std::vector<PlannedProducer> producers;
  std::vector<PlannedRoute> routes;
  std::vector<PlannedMove> moves;
  std::vector<int> prefilled;  // messages that each broker's queue begins with
  std::vector<Fault> faults;
  absl::Duration faults_end;  // all is well from here on
  int messages = 0;
};

Scenario DrawScenario(uint64_t seed);

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_SCENARIO_H_
