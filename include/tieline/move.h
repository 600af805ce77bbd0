// Moving queues to other brokers: what a changed config would move, and how far
// a move has come. Values, and the handle that Bus::Apply gives; docs/move.md
// says what a move does.
#ifndef TIELINE_MOVE_H_
#define TIELINE_MOVE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/config.h"

namespace tieline::inline v0 {

// One queue that a plan takes to another broker.
struct PlannedMove {
  std::string queue;
  std::string from;  // brokers, by name
  std::string to;
  uint64_t from_generation = 0;
  uint64_t to_generation = 0;
  // What the operator should know before: what can't be proved or carried.
  std::vector<std::string> notes;
};

// What a config would change in a bus that runs. A value; made by Bus::Plan.
struct ChangePlan {
  Config config;
  // The operator's word that a new broker may hold messages already: they are
  // delivered, before those that are sent there.
  bool accepts_existing = false;
  std::vector<PlannedMove> moves;  // empty: nothing would move
};

// How far the move of one queue has come, and what it cost. `state` is one of
// docs/move.md's; the counts are those of this process.
struct MoveReport {
  struct Stage {
    std::string name;     // "preparing", "switching", "draining", "retiring"
    absl::Time began;     // wall clock
    absl::Duration took;  // until now, for the present one
  };
  std::string queue;
  std::string from;
  std::string to;
  uint64_t generation = 0;
  std::string state;
  std::vector<Stage> stages;
  // The longest time in which this process sent nothing for the queue, though
  // there was something to send.
  absl::Duration longest_pause = absl::ZeroDuration();
  uint64_t in_flight = 0;   // sends without an outcome at the switch
  uint64_t in_doubt = 0;    // of those, sent again at the new broker
  uint64_t held = 0;        // came before their turn, and waited here for it
  uint64_t drained = 0;     // delivered from the old broker after the switch
  uint64_t late = 0;        // delivered from it after its drain
  uint64_t suppressed = 0;  // second copies since the switch, not delivered
  uint64_t replayed = 0;    // retained ones, sent again at the new broker
  // What the old broker counts when it is drained: scheduled, deferred, or in
  // others' hands. -1: it can't say, or was not asked yet.
  int64_t left = -1;
  // How the old broker was known to be empty: "exact", "offsets", "count",
  // "unproven: quiet for 5s", or "given up"; empty until then.
  std::string proof;
  // Why it does not go on for now, or was refused; OK otherwise.
  absl::Status status;
  // At the new broker, and nothing is to be drained any more; what still comes
  // from the old one is late.
  bool drained_all = false;
  // The old broker is not used any more.
  bool over = false;
};

// What was decided and why, as the state file keeps it.
struct JournalRecord {
  uint64_t number = 0;  // from 1
  absl::Time time;
  // "move": a step of a move. "report": a MoveReport, when it is over. "spool":
  // messages go to disk, or were read from there.
  std::string kind;
  std::string json;  // an object
};

class BusMoves;

// The moves that one Bus::Apply began. Threads: any.
class Moving {
 public:
  // Made by Bus::Apply. `targets`: by queue, the generation that it goes to.
  Moving(std::shared_ptr<BusMoves> moves,
         std::map<std::string, uint64_t> targets);

  // Waits until every queue's earlier brokers are drained (what is late may
  // still come). kDeadlineExceeded, with the state of one that is not;
  // kFailedPrecondition: the bus was closed. Where a move was refused or could
  // not be prepared, the reason. Not from a callback.
  absl::Status Wait(absl::Duration timeout);
  // Undoes what is not committed yet. kFailedPrecondition: a queue has moved;
  // going back is another move.
  absl::Status Cancel();
  // The operator's word: go on without a proof that the earlier brokers are
  // empty. What they still have is delivered late when they come back.
  void Proceed();
  std::vector<MoveReport> reports() const;

 private:
  const std::shared_ptr<BusMoves> moves_;
  const std::map<std::string, uint64_t> targets_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_MOVE_H_
