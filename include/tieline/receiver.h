// Receiver: the application's handle for receiving from a queue, pull style or
// (Process) push style.
//
// Threads: every call from any thread. Blocking calls may not be made from a
// callback (kFailedPrecondition).
#ifndef TIELINE_RECEIVER_H_
#define TIELINE_RECEIVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/capabilities.h"
#include "tieline/delivery.h"
#include "tieline/processor.h"

namespace tieline::inline v0 {

class ReceiverCore;

struct ReceiverOptions {
  // Messages that may be received and not settled (waiting here, or in the
  // application's hands), and the bytes of their bodies.
  uint32_t credit = 1000;
  uint64_t credit_bytes = uint64_t{64} << 20;
  // Refused at open (kUnimplemented) when the broker lacks one of these.
  std::vector<Capability> needs = {};
  // Read without settling duty, leaving the queue as it was, from
  // QueueConfig::start; deliveries' settlements do nothing.
  bool browse = false;
  // Attempts before a message is dead-lettered where the core retries in
  // place (no Capability::kBrokerRedelivery, or order per key in a processor);
  // 0: never.
  uint32_t max_attempts = 10;
  // Back-off of retries in place.
  absl::Duration retry_min = absl::Milliseconds(50);
  absl::Duration retry_max = absl::Seconds(10);
  // Where settling is by watermark (Kafka): messages handed out above the
  // oldest unsettled one before the partition stalls.
  uint32_t max_gap = 100000;
  // How long what is in hand is waited for when a lane is taken away.
  absl::Duration lane_grace = absl::Seconds(5);

  absl::Status Validate() const;
};

class Receiver {
 public:
  // Made by Bus::OpenReceiver.
  explicit Receiver(std::shared_ptr<ReceiverCore> core);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  // Close(0).
  ~Receiver();

  // The next message. kDeadlineExceeded when none came in time; kCancelled by
  // `stop`; kFailedPrecondition when closed; a permanent error of the broker
  // (kNotFound, kPermissionDenied, kUnauthenticated, ...).
  absl::StatusOr<Delivery> Receive(absl::Duration timeout,
                                   std::stop_token stop = {});
  // Waits for the first, and returns up to `max` that are there.
  absl::StatusOr<std::vector<Delivery>> ReceiveBatch(size_t max,
                                                     absl::Duration timeout,
                                                     std::stop_token stop = {});

  // Calls `handler` for each message until the processor is stopped. One
  // processor a receiver, and no Receive beside it.
  std::unique_ptr<Processor> Process(ProcessorOptions options, Handler handler);

  // Completes many in one call, as Delivery::Complete does.
  absl::Status CompleteAll(std::vector<Delivery> deliveries);

  // Waits until the broker has answered every settlement made before.
  // kDeadlineExceeded.
  absl::Status Flush(absl::Duration timeout);
  // Stops receiving, releases what was not handed out, sends the settlements
  // and closes. Deliveries still in hand are the broker's again.
  absl::Status Close(absl::Duration timeout);

  // Deferred messages by their positions. kUnimplemented without
  // Capability::kDefer; kNotFound.
  absl::StatusOr<std::vector<Delivery>> ReceiveDeferred(
      std::vector<int64_t> positions, absl::Duration timeout);
  // Asks for a session by name; "" for the next free one. Messages of it then
  // come as others do. kUnimplemented without Capability::kSessions.
  absl::Status AcceptSession(std::string name);

  Capabilities capabilities() const;
  absl::Status WaitOpen(absl::Duration timeout);  // as Sender's

 private:
  std::shared_ptr<ReceiverCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_RECEIVER_H_
