// MoveGroup: the queues that one plan moves. All of them are prepared before
// the first is committed, and all are committed in one transaction; or none
// moves.
//
// Threads: the runner's, but for the constructor.
#ifndef TIELINE_LIB_MOVE_MOVE_GROUP_H_
#define TIELINE_LIB_MOVE_MOVE_GROUP_H_

#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "lib/move/move_store.h"

namespace tieline::inline v0 {

class MoveGroup {
 public:
  explicit MoveGroup(std::set<std::string> queues)
      : queues_(std::move(queues)) {}

  // The queue may be committed, as far as it is concerned.
  void SetPrepared(const std::string& queue) { prepared_.insert(queue); }
  bool AllPrepared() const { return failure_.ok() && prepared_ == queues_; }
  // The queue does not move, so none does. Does nothing once the records are on
  // their way to the disk.
  void Fail(const std::string& queue, const absl::Status& why);
  // Why none moves (kCancelled); OK otherwise.
  const absl::Status& failure() const { return failure_; }

  // Commits all records with the last queue's, when each has handed in its own.
  // `done` is told what came of that, or the failure.
  void Commit(MoveStore* store, const std::string& queue, SavedMove move,
              const MoveStore::Done& done);
  // That failed: each hands in its record again, or the group fails.
  void OnCommitFailed() { submitted_ = false; }

 private:
  const std::set<std::string> queues_;
  std::set<std::string> prepared_;
  absl::Status failure_;
  bool submitted_ = false;
  std::map<std::string, std::pair<SavedMove, MoveStore::Done>> handed_in_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MOVE_GROUP_H_
