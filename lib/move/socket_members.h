// SocketMembers: Members that are asked at their control sockets.
//
// The thread `tieline-members` begins with the first question. It takes all
// that wait, and goes from socket to socket with them: one that does not answer
// costs its time once.
#ifndef TIELINE_LIB_MOVE_SOCKET_MEMBERS_H_
#define TIELINE_LIB_MOVE_SOCKET_MEMBERS_H_

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/control/control_client.h"
#include "lib/move/member_answers.h"
#include "lib/move/members.h"

namespace tieline::inline v0 {

// Threads: any.
class SocketMembers final : public Members {
 public:
  // `run`: this process's own; at a socket where it is answered nobody is asked
  // any more.
  explicit SocketMembers(std::string run,
                         absl::Duration answer_time = absl::Seconds(1))
      : run_(std::move(run)), answer_time_(answer_time) {}
  ~SocketMembers() override { Stop(); }
  SocketMembers(const SocketMembers&) = delete;
  SocketMembers& operator=(const SocketMembers&) = delete;

  void Ask(Question question) override;
  void Stop() final;

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

#endif  // TIELINE_LIB_MOVE_SOCKET_MEMBERS_H_
