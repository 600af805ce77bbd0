#include "adapters/kafka/group_clients.h"

#include <algorithm>

#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// Each has threads and connections of its own.
constexpr size_t kMost = 4;

}  // namespace

absl::StatusOr<ClientRef> GroupClients::Of(const std::string& group) {
  MutexLock lock(&mu_);
  const auto it =
      std::find_if(clients_.begin(), clients_.end(),
                   [&](const auto& client) { return client.first == group; });
  if (it != clients_.end()) {
    std::rotate(it, it + 1, clients_.end());
    return clients_.back().second.Share();
  }
  Settings settings = common_;
  settings.push_back({"group.id", Secret(group)});
  settings.push_back({"enable.auto.commit", Secret("false")});
  TIELINE_ASSIGN_OR_RETURN(ClientRef made,
                           Client::Make(RD_KAFKA_CONSUMER, settings, 0));
  made->SkipLeave();
  if (clients_.size() == kMost) clients_.pop_front();
  clients_.emplace_back(group, made.Share());
  return made;
}

}  // namespace kafka
}  // namespace tieline::inline v0
