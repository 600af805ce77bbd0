// What a broker's and a queue's config become as librdkafka's settings. Pure,
// but for reading the certificate files that the config names.
#ifndef TIELINE_ADAPTERS_KAFKA_SETTINGS_H_
#define TIELINE_ADAPTERS_KAFKA_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace kafka {

inline constexpr int kDefaultPort = 9092;
// Of a queue that names none.
inline constexpr std::string_view kDefaultGroup = "tieline";
// The first librdkafka whose cooperative rebalance is sound: 2.4.0 mended
// offsets that rewound when a partition was resumed (#4637), 2.6.1 an assignor
// that never ends (#4783).
inline constexpr int kCooperativeSound = 0x020601ff;
// The first librdkafka that looks soon after a consumer's queue was full
// whether it still is. Earlier ones look again after up to a second (unless
// something else wakes the thread that fetches), however soon it was emptied.
inline constexpr int kFetchBackoff = 0x020200ff;

struct Setting {
  std::string name;
  Secret value;  // passwords are among them
  friend bool operator==(const Setting&, const Setting&) = default;
};
using Settings = std::vector<Setting>;

// Settings that a config may pass through, in their order in the guide.
bool IsAllowed(std::string_view name);

// True when every host is this machine (127/8, ::1, localhost).
bool IsLoopback(const Url& url);
bool UsesTls(const BrokerConfig& broker);
bool UsesScram(const BrokerConfig& broker);

// Each names the field at fault (kInvalidArgument).
absl::Status CheckBroker(const BrokerConfig& broker);
absl::Status CheckQueue(const QueueConfig& queue);

// What all clients of a connection share.
Settings CommonSettings(const BrokerConfig& broker);
Settings ProducerSettings(const BrokerConfig& broker, const QueueConfig& queue);
Settings ConsumerSettings(const BrokerConfig& broker, const QueueConfig& queue,
                          bool browse, int client_version);

// A whole number among the settings of a config; the queue's before the
// broker's, `otherwise` without either.
size_t NumberIn(const BrokerConfig& broker, const QueueConfig& queue,
                const std::string& name, size_t otherwise);

// What may wait in a consuming client before it fetches no more.
struct Prefetch {
  size_t messages = 20000;
  size_t bytes = 8 << 20;
};
Prefetch PrefetchOf(const BrokerConfig& broker, const QueueConfig& queue);

// Where a receiver begins without a committed position.
struct Start {
  enum class Kind : uint8_t { kEarliest, kLatest, kOffset, kTime };
  Kind kind = Kind::kEarliest;
  int64_t offset = 0;
  absl::Time time;
};
absl::StatusOr<Start> ParseStart(std::string_view text);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_SETTINGS_H_
