// Partition: one lane of a receiver, from its assignment to its end.
#ifndef TIELINE_ADAPTERS_KAFKA_PARTITION_H_
#define TIELINE_ADAPTERS_KAFKA_PARTITION_H_

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <deque>

#include "adapters/kafka/client.h"
#include "adapters/kafka/watermark.h"

namespace tieline::inline v0 {
namespace kafka {

// Messages and bytes that may still be delivered. The last message may take
// the bytes below zero.
struct Credit {
  uint64_t messages = 0;
  int64_t bytes = 0;

  bool any() const { return messages > 0 && bytes > 0; }
  void Add(uint32_t more, uint64_t more_bytes) {
    constexpr uint64_t kEnough = uint64_t{1} << 40;
    messages = std::min(messages + more, kEnough);
    bytes = static_cast<int64_t>(std::min<uint64_t>(
                static_cast<uint64_t>(std::max<int64_t>(bytes, 0)) +
                    std::min(more_bytes, kEnough),
                kEnough)) +
            std::min<int64_t>(bytes, 0);
  }
  void Take(size_t size) {
    --messages;
    bytes -= static_cast<int64_t>(size);
  }
};

struct Partition {
  enum class State : uint8_t {
    kOpen,
    kClosing,  // announced; handlers may still settle
    kDropped,  // given back; its last commit is on its way
  };

  int32_t number = 0;
  uint32_t epoch = 0;
  State state = State::kOpen;
  // Takes from its own queue and not from the shared one: it has credit of its
  // own, or is stalled.
  bool own_credit = false;
  bool stalled = false;
  bool own_queue() const { return own_credit || stalled; }
  Credit credit;  // with own_credit
  Owned<rd_kafka_queue_t> queue;
  // Received while the lane could not deliver.
  std::deque<rd_kafka_message_t*> parked;

  Watermark watermark;
  uint64_t reported = 0;   // numbers below have had their answer
  uint64_t committed = 0;  // numbers below are committed
  bool dirty = false;      // listed for the next commit
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_PARTITION_H_
