// The settings that the adapter understands, beside the config's own fields.
//
// Of a broker: container_id, virtual_host, max_frame (bytes, 512 to 1048576),
// settle ("confirmed": wait for the broker's word on each settlement; "fast":
// do not), max_message_bytes (received; larger ones detach the receiver).
// Of a queue: kind ("queue" or "topic": the capability that the terminus asks
// for), receiver_name (the link's, for durable subscriptions).
#ifndef TIELINE_ADAPTERS_AMQP_SETTINGS_H_
#define TIELINE_ADAPTERS_AMQP_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/amqp/engine/engine.h"
#include "tieline/config.h"

namespace tieline::inline v0::amqp {

struct Settings {
  bool tls = false;
  bool confirm = true;
  uint64_t max_message_bytes = uint64_t{256} << 20;
  std::vector<HostPort> hosts;  // with their ports
  wire::EngineOptions engine;
};

// kInvalidArgument names the field, what was found and what was expected; also
// for a password or a host that would be reached in the clear without
// allow_plaintext.
absl::StatusOr<Settings> ReadSettings(const BrokerConfig& broker);
absl::Status CheckQueue(const QueueConfig& queue);

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_SETTINGS_H_
