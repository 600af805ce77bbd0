// ControlTarget: what can be asked of, and told to, a running process. A bus
// (lib/engine/bus_target.h), or in tests something that stands for one.
#ifndef TIELINE_LIB_CONTROL_CONTROL_TARGET_H_
#define TIELINE_LIB_CONTROL_CONTROL_TARGET_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tieline/config.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

// What a process says of a generation of a queue.
struct MemberStanding {
  std::string standing;  // "sending", "draining", "late", "drained"
  std::string run;       // of this process since it began
};

// Threads: any. Statuses are those of the calls of Bus and Moving with these
// names.
class ControlTarget {
 public:
  virtual ~ControlTarget() = default;
  virtual Config config() const = 0;
  virtual std::vector<MoveReport> moves() const = 0;
  virtual absl::StatusOr<ChangePlan> Plan(const Config& config) const = 0;
  virtual absl::Status Apply(const ChangePlan& plan) = 0;
  // About the move that `queue` is in. kNotFound: it is in none.
  virtual absl::Status Proceed(std::string_view queue) = 0;
  virtual absl::Status Cancel(std::string_view queue) = 0;
  virtual absl::StatusOr<std::vector<JournalRecord>> ReadJournal(
      uint64_t from, int64_t limit) const = 0;
  // kNotFound: there is no such queue.
  virtual absl::StatusOr<MemberStanding> StandingOf(
      const std::string& queue, uint64_t generation) const = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONTROL_CONTROL_TARGET_H_
