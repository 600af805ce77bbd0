#include "lib/engine/check_config.h"

#include <memory>
#include <vector>

#include "lib/base/status.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {

absl::Status CheckConfig(const Config& config) {
  TIELINE_RETURN_IF_ERROR(config.Validate());
  for (const auto& [name, broker] : config.brokers) {
    std::shared_ptr<driver::Driver> driver = driver::Find(broker.url.scheme);
    if (driver == nullptr) continue;  // said when it is used
    std::vector<QueueConfig> queues;
    for (const auto& [q, queue] : config.queues) {
      if (queue.broker == name) queues.push_back(queue);
    }
    TIELINE_RETURN_IF_ERROR(driver->Check(broker, queues));
  }
  return absl::OkStatus();
}

}  // namespace tieline::inline v0
