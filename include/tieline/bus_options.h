// What a Bus takes from the process it lives in.
#ifndef TIELINE_BUS_OPTIONS_H_
#define TIELINE_BUS_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Where callbacks run, if not on the runner.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `work` once, soon, on a thread of its choice; never inside Post. Any
  // thread may call.
  virtual void Post(std::function<void()> work) = 0;
};

// Bounds of reconnecting (all connections of the bus alike).
struct ReconnectOptions {
  absl::Duration min_delay = absl::Milliseconds(100);
  absl::Duration max_delay = absl::Seconds(10);
  // Each delay is drawn from [delay * (1 - jitter), delay].
  double jitter = 0.5;
};

// How many re-sends there may be for each first send: beyond it they wait, so
// that a sick broker is not drowned.
struct RetryBudgetOptions {
  double ratio = 0.2;      // re-sends for each first send, in the long run
  uint32_t reserve = 100;  // re-sends that are always allowed at once
  // Refilled at this many a second also without first sends.
  double per_second = 50;
};

struct BusOptions {
  // One line of text, without secrets. Called from any thread, never under a
  // lock of ours. Default: nothing is logged.
  std::function<void(LogLevel, std::string_view)> log;
  // Null: the system's. Outlives the bus. Blocking calls wait in real time
  // whatever the clock says.
  Clock* clock = nullptr;
  // Null: callbacks run on the runner's thread, where they must not block.
  // Outlives the bus.
  Executor* executor = nullptr;
  // True: no thread is made; the host calls Bus::RunOnce, which then writes the
  // state file as well, when Bus::fd() is readable or the time it returned has
  // come. Blocking calls may then be made from other threads only.
  bool host_runs = false;
  // Opens Config::state_file, which one process at a time can do. False: a tool
  // beside the process that has it; queues are then where the config says.
  bool keeps_state = true;
  // A Unix socket (mode 0600) at which the bus answers `tieline move` and the
  // processes that name it in their `move.members`; made by Bus::Open, on a
  // thread of its own, and removed when the bus is closed. Empty: there is
  // none. Bus::Open fails with kFailedPrecondition when a living process has it
  // or a file is there that is no socket, kInvalidArgument when the path is
  // longer than 107 bytes, kNotFound, kPermissionDenied or kUnavailable by its
  // folder.
  std::string control_socket;
  ReconnectOptions reconnect;
  RetryBudgetOptions retry_budget;

  // kInvalidArgument names the option.
  absl::Status Validate() const;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_BUS_OPTIONS_H_
