// What passes between the core and a driver. Plain values.
#ifndef TIELINE_DRIVER_TYPES_H_
#define TIELINE_DRIVER_TYPES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/config.h"
#include "tieline/message.h"
#include "tieline/properties.h"

namespace tieline::inline v0 {
namespace driver {

// The unit of order and epoch inside a receiver: its AMQP link, a Kafka
// partition, a Service Bus session. Numbers are the driver's, from 0; a plain
// receiver has lane 0 alone.
enum class Lane : uint32_t {};
inline constexpr Lane kAllLanes{0xffffffff};

// Names a delivery. A token whose epoch is not its lane's present one is
// stale: settling it is answered kAborted.
struct Token {
  Lane lane{};
  uint32_t epoch = 0;
  uint64_t id = 0;
  friend bool operator==(const Token&, const Token&) = default;
};

// What became of a send. Never guessed.
enum class Fate : uint8_t {
  kAccepted,  // the broker has it
  kNotTaken,  // certainly not there; may be sent again
  kRejected,  // refused for good; `why` says the reason
  kUnknown,   // may or may not be there (the connection was lost, ...)
};

enum class Verb : uint8_t {
  kComplete,
  kAbandon,  // counts as an attempt
  kRelease,  // does not count: for what was never handed out
  kDeadLetter,
  kDefer,
  kRenew,  // the lock of one delivery, or of the lane (id == 0)
};

struct Outbound {
  uint64_t cookie = 0;
  // Valid until the outcome of this cookie was given to the sink, or the
  // sender driver was destroyed. The driver may hold a copy for longer.
  const Message* message = nullptr;
};

struct Outcome {
  uint64_t cookie = 0;
  Fate fate = Fate::kUnknown;
  int64_t position = -1;  // offset or sequence number; -1: not told
  absl::Status why;       // not OK unless accepted
  // How long the broker asks to wait before the next try; zero: not told.
  absl::Duration wait = absl::ZeroDuration();
};

struct Inbound {
  Token token;
  Message message;
  int64_t position = -1;
  uint32_t attempts = 0;     // earlier deliveries, as the broker counts them
  bool redelivered = false;  // the broker says it was delivered before
  bool late = false;         // the core's: as Delivery::late
  absl::Time locked_until = absl::InfiniteFuture();
};

struct Settlement {
  Token token;
  Verb verb = Verb::kComplete;
  const Properties* amend = nullptr;  // to set on the message, or null
  std::string_view reason;            // dead-letter
  std::string_view detail;
};

struct Settled {
  Token token;
  Verb verb = Verb::kComplete;
  // kAborted: stale token or lost lock. kUnavailable: the connection went
  // before the broker answered; it may have been settled or not.
  absl::Status status;
  absl::Time locked_until = absl::InfinitePast();  // of kRenew
};

enum class LaneState : uint8_t {
  kOpened,
  // The driver will take the lane away: settle what is in hand, then DropLane,
  // by `until` at the latest.
  kClosing,
  kClosed,
  // Nothing is delivered from this lane: the oldest unsettled message holds
  // back more than the bound (ReceiverSpec::max_gap).
  kStalled,
  kResumed,
};

struct LaneEvent {
  Lane lane{};
  uint32_t epoch = 0;
  LaneState state = LaneState::kOpened;
  std::string name;  // partition number, session id; "" for a plain receiver
  absl::Time until = absl::InfiniteFuture();
  absl::Status why;
  bool is_fault = false;
};

// When a connection next needs Run, beside its descriptor and its waker.
struct Progress {
  bool worked = false;
  absl::Time next = absl::InfiniteFuture();  // steady time
  // Until then, also steady and not before `next`, the driver lets its work
  // gather: settlements and credit that gather as well need not be told sooner,
  // since nobody waits for the single one. All else is told at once.
  absl::Time rests_until = absl::InfinitePast();
};

struct PollSet {
  int fd = -1;  // -1: the connection wakes its runner by itself
  bool read = true;
  bool write = false;
};

struct SenderSpec {
  QueueConfig queue;
  bool ordered = false;
};

struct ReceiverSpec {
  QueueConfig queue;
  bool ordered = false;
  // Messages that may be handed out above the oldest unsettled one of a lane,
  // where settling is by watermark.
  uint32_t max_gap = 100000;
  // How long the core may take to give up a closing lane.
  absl::Duration lane_grace = absl::Seconds(5);
  // Receive without settling duty, from here, leaving the queue as it was:
  // for following and peeking where Capability::kReplay allows. Elsewhere
  // OpenReceiver or ReceiverSink::OnClosed answers kUnimplemented.
  bool browse = false;
};

}  // namespace driver
}  // namespace tieline::inline v0

#endif  // TIELINE_DRIVER_TYPES_H_
