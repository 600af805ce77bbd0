#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "adapters/kafka/capabilities.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/connection.h"
#include "adapters/kafka/settings.h"
#include "lib/base/status.h"
#include "tieline/driver/driver.h"
#include "tieline/kafka.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

class KafkaDriver final : public driver::Driver {
 public:
  Capabilities capabilities() const override { return KafkaCapabilities(); }

  absl::Status Check(const BrokerConfig& broker,
                     const std::vector<QueueConfig>& queues) const override {
    TIELINE_RETURN_IF_ERROR(CheckBroker(broker));
    for (const QueueConfig& queue : queues) {
      TIELINE_RETURN_IF_ERROR(CheckQueue(queue));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<driver::Connection>> Connect(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, const Clock*, absl::Time now) override {
    TIELINE_RETURN_IF_ERROR(CheckBroker(broker));
    auto made = KafkaConnection::Make(broker, sink, waker, now);
    if (!made.ok()) {
      return Annotate(made.status(), "broker " + broker.name);
    }
    return *std::move(made);
  }
};

}  // namespace

void Register() {
  const auto kafka = std::make_shared<KafkaDriver>();
  driver::Register("kafka", kafka);
  driver::Register("kafkas", kafka);
}

}  // namespace kafka
}  // namespace tieline::inline v0
