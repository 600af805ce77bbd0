// Sender: the application's handle for sending to a queue.
//
// Threads: every call from any thread. Blocking calls may not be made from a
// callback (kFailedPrecondition).
#ifndef TIELINE_SENDER_H_
#define TIELINE_SENDER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/capabilities.h"
#include "tieline/message.h"

namespace tieline::inline v0 {

// What became of a message that was given to a sender.
enum class SendState : uint8_t {
  kAccepted,  // the broker has it
  kNotSent,   // certainly not there
  kRejected,  // the broker refused it for good
  kUnknown,   // may or may not be there
  // No broker took it in time: it is in the state file (QueueConfig::spool),
  // and is sent, before anything later of its key, when one does.
  kSpooled,
};

class SenderCore;
class SendBatchState;
class SendQueue;

// The result of one send. It carries the message, so that one that was not
// accepted can be sent again or kept, with its id.
class [[nodiscard]] SendResult {
 public:
  SendState state = SendState::kNotSent;
  uint32_t attempts = 0;  // submissions to a broker
  int64_t position = -1;  // offset or sequence number, where the broker tells
  // OK when accepted or spooled. Otherwise:
  //   kDeadlineExceeded   submitted, and no answer came in time: in doubt
  //   kResourceExhausted  the deadline passed, or the buffer or the spool was
  //                       full, before anything was submitted
  //   kUnavailable        the broker could not be reached, not submitted
  //   kInvalidArgument    rejected: the message is too large or malformed
  //   kNotFound, kPermissionDenied, kUnauthenticated   refused for good
  //   kFailedPrecondition the sender is closed, or this is a callback
  //   kCancelled          the bus stopped first
  absl::Status status;
  Message message;

  // It is somewhere that outlives this process: at a broker, or spooled.
  bool ok() const {
    return state == SendState::kAccepted || state == SendState::kSpooled;
  }
  std::string_view id() const { return message.id(); }

 private:
  friend class SendQueue;
  friend class SendBatchState;
  SendBatchState* batch_ = nullptr;
  uint8_t flags_ = 0;
};

struct SenderOptions {
  // Refused at open (kUnimplemented) when the broker lacks one of these.
  std::vector<Capability> needs = {};
  // Bounds of what was given to Send and has no result yet. At the bound a
  // blocking send waits, an asynchronous one returns kResourceExhausted.
  uint32_t max_pending = 20000;
  uint64_t max_pending_bytes = uint64_t{64} << 20;
  // Submitted to the broker and unresolved, at most.
  uint32_t window = 5000;
  // Gives messages without an id one (unique across processes), so that a
  // second copy can be told.
  bool stamp_ids = true;
  // How long one send is tried when the call does not say.
  absl::Duration timeout = absl::Seconds(30);

  absl::Status Validate() const;
};

struct SendOptions {
  // From now; zero: SenderOptions::timeout.
  absl::Duration timeout = absl::ZeroDuration();
};

using SendCallback = std::function<void(std::span<const SendResult>)>;

class Sender {
 public:
  // Made by Bus::OpenSender.
  explicit Sender(std::shared_ptr<SenderCore> core);
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  // Close(0).
  ~Sender();

  // Sends one message and waits until the broker has it, or it is spooled, or
  // it is certain that it will not be sent, or the deadline has passed.
  SendResult Send(Message message, SendOptions options = {});
  // The same for several, in order; one result a message.
  std::vector<SendResult> SendBatch(std::vector<Message> messages,
                                    SendOptions options = {});
  // Returns at once. `done` is called once with one result a message, in
  // order, on the runner's thread or the executor (never inside this call).
  // kResourceExhausted: the buffer is full; kFailedPrecondition: closed. Then
  // `messages` is untouched and `done` is not called.
  absl::Status SendBatch(std::vector<Message>&& messages, SendCallback done,
                         SendOptions options = {});

  // Waits until nothing that was given before is without a result.
  // kDeadlineExceeded.
  absl::Status Flush(absl::Duration timeout);
  // Refuses new sends, flushes, and closes; what has no result by then gets
  // kCancelled (kUnknown if submitted). kDeadlineExceeded when there was such.
  absl::Status Close(absl::Duration timeout);

  // Of the link; those known before connecting until it is open.
  Capabilities capabilities() const;
  // Waits until the broker has agreed to the link. The error is the broker's
  // (kNotFound, kPermissionDenied, kUnauthenticated, ...) or kDeadlineExceeded
  // with the last reason.
  absl::Status WaitOpen(absl::Duration timeout);

 private:
  std::shared_ptr<SenderCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_SENDER_H_
