#include "lib/control/conversation.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "lib/base/status.h"
#include "lib/control/reply.h"

namespace tieline::inline v0::control {
namespace {

// So that one connection does not keep the others, or the end, waiting.
constexpr int kTurns = 16;

std::string Answer(const ControlHandler& handler, std::string_view request,
                   size_t limit) {
  std::string reply;
  try {
    reply = handler(request);
  } catch (const std::exception& error) {
    reply = ErrorReply(absl::InternalError(error.what()));
  }
  if (reply.size() > limit) {
    reply = ErrorReply(
        MakeStatus(absl::StatusCode::kResourceExhausted,
                   "the answer has {} bytes, and may have {}; ask for less",
                   reply.size(), limit));
  }
  std::replace(reply.begin(), reply.end(), '\n', ' ');
  reply += '\n';
  return reply;
}

}  // namespace

bool Conversation::Run(const ControlHandler& handler,
                       const ControlServerOptions& options, absl::Time now) {
  for (int turn = 0; turn < kTurns; ++turn) {
    if (!Write(now)) return false;
    if (wants_write()) return true;
    if (closing_) return false;
    if (AnswerNext(handler, options)) continue;
    if (ended_) return false;
    const size_t before = in_.size();
    if (!Read(options.request_bytes + 1, now)) return false;
    if (in_.size() == before && !ended_) return true;
  }
  return Write(now);
}

bool Conversation::AnswerNext(const ControlHandler& handler,
                              const ControlServerOptions& options) {
  const size_t end = in_.find('\n');
  if (end == std::string::npos ? in_.size() <= options.request_bytes
                               : end <= options.request_bytes) {
    if (end == std::string::npos) return false;
    out_ = Answer(handler, std::string_view(in_).substr(0, end),
                  options.reply_bytes);
    in_.erase(0, end + 1);
  } else {
    out_ = ErrorReply(MakeStatus(absl::StatusCode::kResourceExhausted,
                                 "a request has {} bytes at most",
                                 options.request_bytes)) +
           "\n";
    closing_ = true;
  }
  written_ = 0;
  return true;
}

bool Conversation::Read(size_t limit, absl::Time now) {
  std::array<char, 4096> piece;
  while (in_.size() < limit) {
    const ssize_t got = recv(fd_.get(), piece.data(),
                             std::min(piece.size(), limit - in_.size()), 0);
    if (got > 0) {
      in_.append(piece.data(), static_cast<size_t>(got));
      moved_ = now;
    } else if (got == 0) {
      ended_ = true;
      return true;
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }
  return true;
}

bool Conversation::Write(absl::Time now) {
  while (wants_write()) {
    const ssize_t put = send(fd_.get(), out_.data() + written_,
                             out_.size() - written_, MSG_NOSIGNAL);
    if (put > 0) {
      written_ += static_cast<size_t>(put);
      moved_ = now;
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }
  out_.clear();
  written_ = 0;
  return true;
}

void Conversation::Refuse(std::string line) {
  out_ = std::move(line) + "\n";
  written_ = 0;
  Write(moved_);
}

}  // namespace tieline::inline v0::control
