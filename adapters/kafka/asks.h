// The rare operations, as blocking calls for the Background thread.
//
// Each ends by `deadline`, or soon after `stop` becomes true (kCancelled).
#ifndef TIELINE_ADAPTERS_KAFKA_ASKS_H_
#define TIELINE_ADAPTERS_KAFKA_ASKS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/group_clients.h"
#include "adapters/kafka/settings.h"
#include "tieline/driver/types.h"
#include "tieline/request.h"

namespace tieline::inline v0 {
namespace kafka {

// What a call may take and by whom it is given up.
struct Patience {
  absl::Time deadline;  // of absl::Now()
  const std::atomic<bool>* stop = nullptr;

  int LeftMs(int most = 10000) const;
  bool over() const;
};

// A round trip; asks again until there is an answer.
absl::Status Ping(const Client& client, const Patience& patience);

struct TopicInfo {
  int32_t partitions = 0;
  uint64_t max_message_bytes = 0;  // 0: not told
};
// kNotFound when the topic is not there (and `queue.create` is not set),
// kPermissionDenied.
absl::StatusOr<TopicInfo> LookUpTopic(const Client& client,
                                      const QueueConfig& queue,
                                      const Patience& patience);

absl::Status CreateTopic(const Client& client, const QueueConfig& queue,
                         const Patience& patience);
absl::Status DeleteTopic(const Client& client, const std::string& topic,
                         const Patience& patience);
absl::StatusOr<std::vector<driver::EntityInfo>> ListTopics(
    const Client& client, const Patience& patience);

// The offset behind the last record of each partition.
absl::StatusOr<std::vector<int64_t>> EndOffsets(const Client& client,
                                                const QueueConfig& queue,
                                                const Patience& patience);
// Records that the queue's group has not committed yet.
absl::StatusOr<int64_t> Depth(const Client& client, GroupClients& groups,
                              const QueueConfig& queue,
                              const Patience& patience);
// Up to `max` records at or above an offset of each partition, through a client
// of its own that belongs to no group: request.from, or request.numbers where
// it has one for the partition. Negative: where the queue's group has
// committed, else the first there is. kDeadlineExceeded when there are some and
// none came.
absl::StatusOr<std::vector<driver::Inbound>> Peek(
    const Settings& settings, const Client& control, GroupClients& groups,
    const driver::Request& request, const Patience& patience);

// Where to begin in each partition of `partitions`. With `committed`, the
// group's committed offset has precedence.
absl::StatusOr<std::vector<int64_t>> StartOffsets(
    const Client& client, const std::string& topic,
    const std::vector<int32_t>& partitions, const Start& start, bool committed,
    const Patience& patience);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_ASKS_H_
