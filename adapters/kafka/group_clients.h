// GroupClients: a client for each group whose offsets are asked for. It has the
// group's name and never joins it.
//
// The admin calls for a group's offsets would need no such client, but end the
// process where a coordinator answers after its time, or is not there yet
// (confluentinc/librdkafka issues 3663 and 4605).
//
// Threads: any.
#ifndef TIELINE_ADAPTERS_KAFKA_GROUP_CLIENTS_H_
#define TIELINE_ADAPTERS_KAFKA_GROUP_CLIENTS_H_

#include <deque>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/settings.h"
#include "lib/base/mutex.h"

namespace tieline::inline v0 {
namespace kafka {

class GroupClients {
 public:
  // Of a connection's clients.
  explicit GroupClients(Settings common) : common_(std::move(common)) {}

  // That of a group: made when it is first asked for, and kept while few others
  // are. As Client::Make.
  absl::StatusOr<ClientRef> Of(const std::string& group);

 private:
  const Settings common_;
  Mutex mu_;
  // The one that was asked for last stands last.
  std::deque<std::pair<std::string, ClientRef>> clients_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_GROUP_CLIENTS_H_
