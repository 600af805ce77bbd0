// Members: asks the other processes that use a queue, at their control sockets,
// how they stand to one of its generations.
//
// The thread `tieline-members` begins with the first question. It takes all
// that wait, and goes from socket to socket with them: one that does not answer
// costs its time once.
#ifndef TIELINE_LIB_MOVE_MEMBERS_H_
#define TIELINE_LIB_MOVE_MEMBERS_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/control/control_client.h"
#include "lib/move/member_answers.h"

namespace tieline::inline v0 {

// Threads: any.
class Members {
 public:
  struct Question {
    std::vector<std::string> sockets;
    std::string queue;
    uint64_t generation = 0;
    // Called once, on the thread of Members, under no lock; not after Stop.
    std::function<void(MemberAnswers)> done;
  };

  // `run`: this process's own; at a socket where it is answered nobody is asked
  // any more.
  explicit Members(std::string run,
                   absl::Duration answer_time = absl::Seconds(1))
      : run_(std::move(run)), answer_time_(answer_time) {}
  ~Members() { Stop(); }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  // Asks each socket once. A process that does not have the queue is left out
  // of the answers, as is this one. Who asks waits for the answer before it
  // asks the same again: so what waits here has a bound.
  void Ask(Question question);
  // Ends at once, whoever is being asked. Not from `done`.
  void Stop();

 private:
  struct Waiting {
    Question question;
    MemberAnswers answers;
  };

  void Run();
  void AskAt(const std::string& socket, std::vector<Waiting>& waiting);
  absl::Status AskOne(ControlClient& client, const std::string& socket,
                      Waiting& waiting);
  bool stopped() const;

  const std::string run_;
  const absl::Duration answer_time_;
  std::set<std::string> own_;  // sockets at which this process answers

  mutable Mutex mu_;
  Condition asked_cv_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  ControlClient* asking_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MEMBERS_H_
