#include "adapters/amqp/driver.h"

#include <utility>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/include/tieline/amqp.h"
#include "adapters/amqp/product.h"
#include "adapters/amqp/settings.h"
#include "adapters/amqp/tcp.h"
#include "adapters/amqp/tls.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {

Capabilities AmqpDriver::capabilities() const {
  return CapabilitiesOf(Product::kOther);
}

absl::Status AmqpDriver::Check(const BrokerConfig& broker,
                               const std::vector<QueueConfig>& queues) const {
  absl::StatusOr<Settings> settings = ReadSettings(broker);
  if (!settings.ok()) {
    return Annotate(settings.status(), "broker " + broker.name);
  }
  for (const QueueConfig& queue : queues) {
    TIELINE_RETURN_IF_ERROR(CheckQueue(queue));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<driver::Connection>> AmqpDriver::Connect(
    const BrokerConfig& broker, driver::ConnectionSink* sink,
    driver::Waker* waker, const Clock*, absl::Time now) {
  TIELINE_RETURN_IF_ERROR(Check(broker, {}));
  TIELINE_ASSIGN_OR_RETURN(Settings settings, ReadSettings(broker));
  absl::Time give_up = now + broker.connect_timeout;
  auto tcp = std::make_unique<TcpTransport>(&resolver_, settings.hosts, waker,
                                            give_up);
  std::unique_ptr<Transport> transport;
  if (settings.tls) {
    absl::StatusOr<std::unique_ptr<TlsContext>> context =
        TlsContext::Make(broker.tls);
    if (!context.ok()) {
      return Annotate(context.status(), "broker " + broker.name);
    }
    transport = std::make_unique<TlsTransport>(
        std::move(tcp), *std::move(context), broker.tls, give_up);
  } else {
    transport = std::move(tcp);
  }
  return std::make_unique<AmqpConnection>(
      broker, std::move(settings), std::move(transport), sink, waker, give_up);
}

void Register() {
  auto driver = std::make_shared<AmqpDriver>();
  driver::Register("amqp", driver);
  driver::Register("amqps", driver);
}

}  // namespace tieline::inline v0::amqp
