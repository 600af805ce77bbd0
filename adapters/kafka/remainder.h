// What a group has still to read of a topic: the proof that it is drained, and
// the place where a group that is new to it begins.
//
// Threads: blocking calls, for the Background thread; each ends by
// Patience::deadline.
#ifndef TIELINE_ADAPTERS_KAFKA_REMAINDER_H_
#define TIELINE_ADAPTERS_KAFKA_REMAINDER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "adapters/kafka/asks.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/group_clients.h"
#include "adapters/kafka/records.h"
#include "adapters/kafka/settings.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace kafka {

// What both go by.
struct Remainder {
  // Tells offsets of the topic; its isolation level is the reader's.
  const Client& client;
  GroupClients& groups;
  // Of a client that reads; see FirstRecords.
  const Settings& reader;
  FoundRecords* found;
};

// Offsets, in all partitions that there are now, from the group's position to
// the end of what it can read; 0 only when it has committed behind the last
// record. A partition without a position counts from where `queue.start` says,
// and with `latest`, since nobody can tell what was read, from its beginning.
// Holes (markers, aborted records) count, unless nothing else is left: when
// kMostToRead offsets or fewer remain in each partition, they are read.
// What an open transaction has written is not there yet.
//   kNotFound, kPermissionDenied, kUnavailable: of the topic or group
absl::StatusOr<int64_t> Undrained(const Remainder& by, const QueueConfig& queue,
                                  const Patience& patience);

// Commits for the group, where it has no position, the one that `queue.start`
// means now: of `latest` the present end, so that what is sent before the first
// reader comes is not passed over. Returns what there is to be read from all
// positions, counted as above; asked again it is the same.
//
// Messages that are there already are thus never skipped by this; whether a
// topic that holds some may be used is for the caller to decide.
//   kFailedPrecondition  the group has members, so that nobody else may commit
//                        for it, and a partition without a position; with
//                        `earliest` it begins at the beginning anyway, and this
//                        is no error
//   others as above
absl::StatusOr<int64_t> FixStart(const Remainder& by, const QueueConfig& queue,
                                 const Patience& patience);

inline constexpr int64_t kMostToRead = 1000;

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_REMAINDER_H_
