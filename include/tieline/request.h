// Request and Reply: the rare operations, as Bus::Ask takes them and as a
// driver's Connection::Ask answers them. Plain values.
#ifndef TIELINE_REQUEST_H_
#define TIELINE_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/bytes.h"
#include "tieline/config.h"
#include "tieline/driver/types.h"
#include "tieline/message.h"

namespace tieline::inline v0 {
namespace driver {

// The rare operations, asked of a connection and answered once, by cookie.
struct Request {
  enum class Op : uint8_t {
    kPeek,             // entity, from, max -> inbound (tokens unusable)
    kDepth,            // entity -> count
    kDrainMark,        // entity -> numbers: one end position a partition
    kListEntities,     // -> entities
    kCreateEntity,     // queue config
    kDeleteEntity,     // entity
    kReceiveDeferred,  // numbers -> inbound (to settle through the receiver)
    kSchedule,         // messages with deliver_at -> numbers
    kCancelScheduled,  // numbers
    kGetSessionState,  // lane name -> state
    kSetSessionState,  // lane name, state
    kPing,             // a round trip to the broker, nothing else
    // entity (and group) -> count: what is there and not settled, in anybody's
    // hands or not, at a moment after it was asked; what is scheduled or
    // deferred is left out. Known as Capabilities::drain_proof says.
    kUndrained,
    // entity (and group) -> count: commits, where there is no position, the one
    // that `start` means now (latest: the end), so that nothing sent later is
    // missed; and counts what is there to be read, the same if asked again.
    kFixStart,
  };
  Op op = Op::kPing;
  QueueConfig queue;  // the entity, with its settings
  int64_t from = 0;
  uint32_t max = 100;
  std::vector<int64_t> numbers;
  std::vector<Message> messages;
  std::string lane;
  Bytes state;
  class ReceiverDriver* receiver = nullptr;      // kReceiveDeferred
  absl::Time deadline = absl::InfiniteFuture();  // steady time
};

struct EntityInfo {
  std::string name;
  std::string kind;    // "queue", "topic", "subscription"
  int64_t depth = -1;  // -1: not known
  int32_t partitions = 0;
};

struct Reply {
  uint64_t cookie = 0;
  // kUnimplemented: this backend can't.
  absl::Status status;
  int64_t count = -1;
  std::vector<int64_t> numbers;
  std::vector<Inbound> inbound;
  std::vector<EntityInfo> entities;
  Bytes state;
};

}  // namespace driver
}  // namespace tieline::inline v0

#endif  // TIELINE_REQUEST_H_
