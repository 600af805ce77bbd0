// BusMoves: the moves of all queues of a bus.
//
// Threads: any.
#ifndef TIELINE_LIB_MOVE_BUS_MOVES_H_
#define TIELINE_LIB_MOVE_BUS_MOVES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/move/queue_move.h"
#include "tieline/move.h"

namespace tieline::inline v0 {

class BusMoves {
 public:
  // The host outlives its Stop.
  explicit BusMoves(MoveHost* host) : host_(host) {}

  // The queue's move, or null.
  std::shared_ptr<QueueMove> Find(const std::string& queue) const;
  // The same, made of what the store has of it and the config. `made` says
  // whether it is new.
  absl::StatusOr<std::shared_ptr<QueueMove>> FindOrMake(
      const QueueConfig& queue, const MoveConfig& options, bool* made);

  // What `next` would move, where queues are as `now` says.
  absl::StatusOr<ChangePlan> Plan(const Config& now, const Config& next) const;

  // How queues are to be moved, from now on.
  void SetOptions(const MoveConfig& options) const;
  // Where the queues of `config` that have a move are in truth.
  void Correct(Config* config) const;

  // By queue, the generation that it is to come to.
  using Targets = std::map<std::string, uint64_t>;
  absl::Status Wait(const Targets& targets, absl::Duration timeout) const;
  absl::Status Cancel(const Targets& targets) const;
  void Proceed(const Targets& targets) const;
  std::vector<MoveReport> Reports(const Targets& targets) const;
  std::vector<MoveReport> AllReports() const;

  void OnReport();
  void Stop();

 private:
  std::vector<std::shared_ptr<QueueMove>> All() const;

  MoveHost* const host_;
  mutable Mutex mu_;
  mutable Condition changed_cv_;
  std::map<std::string, std::shared_ptr<QueueMove>> moves_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_BUS_MOVES_H_
