// FirstRecords: where the records are in stretches of offsets.
//
// Offsets have holes: transaction markers, records of aborted transactions, and
// what compaction removed. Whether a stretch holds anything is known only by
// reading it.
#ifndef TIELINE_ADAPTERS_KAFKA_RECORDS_H_
#define TIELINE_ADAPTERS_KAFKA_RECORDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adapters/kafka/asks.h"
#include "adapters/kafka/settings.h"

namespace tieline::inline v0 {
namespace kafka {

// The offsets [begin, end) of a partition.
struct Stretch {
  int32_t partition = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

// The offset of the first record of each stretch, `end` when there is none, in
// their order. Where that can't be told before the deadline: `begin`. Reads
// through a client of its own that belongs to no group, with `reader`'s
// isolation level (and enable.partition.eof). Threads: as of asks.h.
absl::StatusOr<std::vector<int64_t>> FirstRecords(
    const Settings& reader, const std::string& topic,
    const std::vector<Stretch>& stretches, const Patience& patience);

// Records that were found a short time ago: who asks again and again how much
// is left, while a handler has the first one, must not read it each time.
//
// Only what was there is remembered, never that there is nothing. Threads: one
// at a time.
class FoundRecords {
 public:
  // The first record of a stretch, when it is known.
  std::optional<int64_t> Find(const std::string& topic, const Stretch& stretch,
                              absl::Time now) const;
  void Add(const std::string& topic, const Stretch& stretch, int64_t first,
           absl::Time now);

  static constexpr absl::Duration kYoung = absl::Seconds(5);
  static constexpr size_t kMost = 10000;  // partitions

 private:
  struct Found {
    int64_t begin = 0;
    int64_t first = 0;
    absl::Time until;
  };
  std::map<std::pair<std::string, int32_t>, Found> found_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_RECORDS_H_
