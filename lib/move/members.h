// Members: asks the other processes that use a queue how they stand to one of
// its generations.
#ifndef TIELINE_LIB_MOVE_MEMBERS_H_
#define TIELINE_LIB_MOVE_MEMBERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/move/member_answers.h"
#include "lib/policy/move_events.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

// Threads: any.
class Members {
 public:
  struct Question {
    std::vector<std::string> sockets;
    std::string queue;
    uint64_t generation = 0;
    // Called once, on a thread of Members, under no lock; not after Stop.
    std::function<void(MemberAnswers)> done;
  };

  virtual ~Members() = default;
  // Asks each socket once. A process that does not have the queue is left out
  // of the answers, as is this one. Who asks waits for the answer before it
  // asks the same again: so what waits here has a bound.
  virtual void Ask(Question question) = 0;
  // Ends at once, whoever is being asked. Not from `done`.
  virtual void Stop() = 0;
};

// How processes reach each other where it is not by their control sockets: in
// simulations.
class MemberNetwork {
 public:
  // What a process answers: kNotFound, it does not use the queue.
  using Answer = std::function<absl::StatusOr<Standing>(
      const std::string& queue, uint64_t generation)>;

  virtual ~MemberNetwork() = default;
  // A process joins, until Stop. `clock`: its own.
  virtual std::unique_ptr<Members> Join(const Clock* clock, Answer answer) = 0;
};

// From here on buses join `network`, in the whole program; null: none.
void SetMemberNetwork(MemberNetwork* network);
// By the network, or else by control sockets (socket_members.h). `run`: the
// process's own.
std::unique_ptr<Members> MakeMembers(const Clock* clock, std::string run,
                                     MemberNetwork::Answer answer);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MEMBERS_H_
