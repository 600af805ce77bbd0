// BusTarget: a bus, as what comes over a control socket asks and tells it.
#ifndef TIELINE_LIB_ENGINE_BUS_TARGET_H_
#define TIELINE_LIB_ENGINE_BUS_TARGET_H_

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
#include "lib/control/control_target.h"
#include "tieline/bus.h"

namespace tieline::inline v0 {

// A bus, and the handles of the moves that were begun through this object. The
// bus has to outlive it.
class BusTarget : public ControlTarget {
 public:
  explicit BusTarget(Bus* bus) : BusTarget(bus->core_.get()) {}
  explicit BusTarget(BusCore* bus) : bus_(bus) {}

  Config config() const override;
  std::vector<MoveReport> moves() const override;
  absl::StatusOr<ChangePlan> Plan(const Config& config) const override;
  absl::Status Apply(const ChangePlan& plan) override;
  absl::Status Proceed(std::string_view queue) override;
  absl::Status Cancel(std::string_view queue) override;
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(
      uint64_t from, int64_t limit) const override;
  absl::StatusOr<MemberStanding> StandingOf(const std::string& queue,
                                            uint64_t generation) const override;

 private:
  // The handle on the move that a queue is in.
  absl::StatusOr<std::shared_ptr<Moving>> Find(std::string_view queue);

  BusCore* const bus_;
  Mutex mu_;
  std::map<std::string, std::shared_ptr<Moving>, std::less<>> moving_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_BUS_TARGET_H_
