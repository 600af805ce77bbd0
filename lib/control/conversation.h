// Conversation: one connection to a control server: lines in, lines out, each
// bounded. Private to lib/control.
//
// It takes the next question only when the last answer is written, so that one
// answer is all that waits. Threads: the server's.
#ifndef TIELINE_LIB_CONTROL_CONVERSATION_H_
#define TIELINE_LIB_CONTROL_CONVERSATION_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/control/control_server.h"
#include "lib/control/socket.h"

namespace tieline::inline v0::control {

class Conversation {
 public:
  Conversation(Fd fd, absl::Time now) : fd_(std::move(fd)), moved_(now) {}

  int fd() const { return fd_.get(); }
  // For poll.
  bool wants_write() const { return written_ < out_.size(); }
  // When something was last read or written.
  absl::Time moved() const { return moved_; }

  // A question is here that has no answer yet.
  bool waits() const {
    return !wants_write() && in_.find('\n') != std::string::npos;
  }

  // Reads and writes what is ready and answers whole lines, some at a time.
  // False when the connection is over.
  bool Run(const ControlHandler& handler, const ControlServerOptions& options,
           absl::Time now);
  // Says a last line, as far as it can be written at once.
  void Refuse(std::string line);

 private:
  bool Read(size_t limit, absl::Time now);
  bool Write(absl::Time now);
  // Answers the first whole line, if nothing waits to be written.
  bool AnswerNext(const ControlHandler& handler,
                  const ControlServerOptions& options);

  Fd fd_;
  absl::Time moved_;
  std::string in_;
  std::string out_;
  size_t written_ = 0;
  bool ended_ = false;    // the other end says no more
  bool closing_ = false;  // after what is in out_
};

}  // namespace tieline::inline v0::control

#endif  // TIELINE_LIB_CONTROL_CONVERSATION_H_
