// ControlTarget: what can be asked of, and told to, a running process. A Bus,
// or in tests something that stands for one.
#ifndef TIELINE_LIB_CONTROL_CONTROL_TARGET_H_
#define TIELINE_LIB_CONTROL_CONTROL_TARGET_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "tieline/bus.h"
#include "tieline/config.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

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
};

// A bus, and the handles of the moves that were begun through this object. The
// bus has to outlive it.
class BusTarget : public ControlTarget {
 public:
  explicit BusTarget(Bus* bus) : bus_(bus) {}

  Config config() const override;
  std::vector<MoveReport> moves() const override;
  absl::StatusOr<ChangePlan> Plan(const Config& config) const override;
  absl::Status Apply(const ChangePlan& plan) override;
  absl::Status Proceed(std::string_view queue) override;
  absl::Status Cancel(std::string_view queue) override;
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(
      uint64_t from, int64_t limit) const override;

 private:
  // The handle on the move that a queue is in.
  absl::StatusOr<std::shared_ptr<Moving>> Find(std::string_view queue);

  Bus* const bus_;
  Mutex mu_;
  std::map<std::string, std::shared_ptr<Moving>, std::less<>> moving_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONTROL_CONTROL_TARGET_H_
