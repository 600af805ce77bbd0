// Offsets of a topic's partitions, and those that a group committed in them.
//
// Threads: blocking calls, for the Background thread; each ends by
// Patience::deadline.
#ifndef TIELINE_ADAPTERS_KAFKA_OFFSETS_H_
#define TIELINE_ADAPTERS_KAFKA_OFFSETS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adapters/kafka/asks.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/group_clients.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace kafka {

// The group that a queue is read with.
const std::string& GroupOf(const QueueConfig& queue);

// The offsets of one partition: of its first record, and the one behind what
// can be read. With the client's isolation level read_committed that is the
// last stable offset: what an open transaction has written lies beyond.
struct Range {
  int64_t low = 0;
  int64_t high = 0;
};

// One for each partition that the topic has now.
absl::StatusOr<std::vector<Range>> Ranges(const Client& client,
                                          const QueueConfig& queue,
                                          const Patience& patience);

// Of the queue's group; negative where it has committed nothing.
absl::StatusOr<std::vector<int64_t>> Committed(GroupClients& groups,
                                               const QueueConfig& queue,
                                               size_t partitions,
                                               const Patience& patience);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_OFFSETS_H_
