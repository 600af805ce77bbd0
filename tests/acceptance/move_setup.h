// What the programs that move a queue between two places share: its config at
// every generation.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_SETUP_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_SETUP_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tieline/config.h"

namespace tieline::move_check {

inline constexpr char kQueue[] = "moving";

struct SetupOptions {
  std::string from;  // URLs of the queue: where it is at first,
  std::string to;    // and where it goes and comes back from
  std::string state_file;
  double quiet_s = 1;  // MoveConfig::quiet_period
};

// Every backend that there is.
void RegisterBackends();

// Threads: a value.
class Setup {
 public:
  // kInvalidArgument: one of the URLs.
  static absl::StatusOr<Setup> Make(const SetupOptions& options);

  // The config that binds the queue for the `generation`th time: at `from` for
  // odd ones, at `to` for even ones, after the other.
  Config At(uint64_t generation) const;
  // The queue in all of them, for what else is to be said of it.
  QueueConfig& queue() { return config_.queues[kQueue]; }

 private:
  struct Place {
    std::string broker;
    std::string entity;
  };
  const Place& PlaceAt(uint64_t generation) const {
    return places_[(generation + 1) % 2];
  }

  Config config_;
  std::array<Place, 2> places_;
};

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_SETUP_H_
