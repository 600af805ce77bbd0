// Settling: the deliveries that one link's user has settled, on their way to
// the peer as dispositions, each of which covers a run of consecutive ids
// (AMQP 1.0 section 2.7.6).
//
// Deliveries that are settled in another order than they came leave gaps, and
// so short runs: a peer that handles a frame for each one or two of them pays
// for it (a queue relayed to four Kafka partitions: three frames for four
// messages). Where many come so, they wait a little for those between.
//
// Pure: times come with the calls. Threads: one at a time.
#ifndef TIELINE_ADAPTERS_AMQP_ENGINE_SETTLING_H_
#define TIELINE_ADAPTERS_AMQP_ENGINE_SETTLING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "adapters/amqp/wire/performatives.h"
#include "adapters/amqp/wire/writer.h"

namespace tieline::inline v0::amqp::wire {

class Settling {
 public:
  // The longest that a delivery waits.
  static constexpr absl::Duration kWait = absl::Milliseconds(20);
  // So few in a turn do not wait; nor do so many.
  static constexpr size_t kFew = 16;
  static constexpr size_t kMost = 4096;
  // Runs of so many deliveries, by their mean, are long enough.
  static constexpr size_t kLong = 4;

  // A delivery's outcome is `kind`, accepted or released; for good, or
  // (`settled` false) provisionally.
  void Add(DeliveryState::Kind kind, bool settled, uint32_t id);
  // It is better not to write yet. Asked once a turn, after its Adds.
  bool Waits(absl::Time now);
  // Until when, if it waits.
  absl::Time due() const { return due_; }
  // Writes and forgets all.
  void Write(uint16_t channel, Writer* out);

 private:
  static constexpr size_t kLists = 4;
  static size_t IndexOf(DeliveryState::Kind kind, bool settled) {
    return (kind == DeliveryState::Kind::kReleased ? 2 : 0) + (settled ? 1 : 0);
  }
  size_t SortedRuns();

  std::array<std::vector<uint32_t>, kLists> ids_;
  size_t count_ = 0;
  size_t runs_ = 0;  // in the order in which they were added
  absl::Time due_ = absl::InfiniteFuture();
};

// Writes one disposition for each run of consecutive ids; sorts `ids` by
// serial number first, and clears it.
void AppendRanges(uint16_t channel, Disposition head,
                  std::vector<uint32_t>* ids, Writer* out);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_ENGINE_SETTLING_H_
