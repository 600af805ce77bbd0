// Delivery: one received message, with the duty to settle it.
//
// Move-only. Destroyed unsettled, it abandons. Settling twice is
// kFailedPrecondition; kAborted says that the token is stale (lock lost,
// partition taken away, connection gone): the broker delivers it again.
// Threads: one at a time; any.
#ifndef TIELINE_DELIVERY_H_
#define TIELINE_DELIVERY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/driver/types.h"
#include "tieline/message.h"

namespace tieline::inline v0 {

class ProcessorCore;
class ReceiverLeg;

class Delivery {
 public:
  Delivery() = default;  // holds nothing
  Delivery(Delivery&& other) noexcept;
  Delivery& operator=(Delivery&& other) noexcept;
  ~Delivery();

  const Message& message() const { return inbound_.message; }
  // Takes the message out; the duty to settle stays.
  Message TakeMessage() { return std::move(inbound_.message); }
  int64_t position() const { return inbound_.position; }
  // Earlier attempts: the broker's count, and those made in place here.
  uint32_t attempts() const { return inbound_.attempts; }
  bool redelivered() const { return inbound_.redelivered; }
  absl::Time locked_until() const { return inbound_.locked_until; }
  // It came from a broker that the queue has left, after that one counted as
  // drained: newer messages of its key may have been delivered before.
  bool late() const { return inbound_.late; }
  // Partition number or session id; "" for a plain queue.
  std::string lane() const;

  // These queue the settlement and return at once; it goes to the broker
  // within about a millisecond, with others. Receiver::Flush waits for it.
  absl::Status Complete();
  // It comes back: as another attempt (after a back-off where the retry is
  // made in place).
  absl::Status Abandon();
  // It comes back and no attempt is counted.
  absl::Status Release();
  absl::Status DeadLetter(std::string_view reason,
                          std::string_view detail = {});
  // kUnimplemented without Capability::kDefer.
  absl::Status Defer();

  // Wait for the broker's answer: kAborted, kUnavailable (it may have been
  // settled or not), kDeadlineExceeded.
  absl::Status CompleteConfirmed(absl::Duration timeout);
  // Extends the lock. kUnimplemented without Capability::kLockRenewal.
  absl::Status Renew(absl::Duration timeout);

  bool settled() const { return core_ == nullptr; }

 private:
  friend class ReceiverLeg;
  friend class ProcessorCore;
  // Comes back from here, whether or not the broker redelivers.
  absl::Status AbandonInPlace();
  absl::Status Settle(driver::Verb verb, std::string_view reason,
                      std::string_view detail);

  std::shared_ptr<ReceiverLeg> core_;
  driver::Inbound inbound_;
  uint32_t incarnation_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_DELIVERY_H_
