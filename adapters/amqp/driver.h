// AmqpDriver: the driver behind amqp:// and amqps://.
#ifndef TIELINE_ADAPTERS_AMQP_DRIVER_H_
#define TIELINE_ADAPTERS_AMQP_DRIVER_H_

#include <memory>
#include <vector>

#include "adapters/amqp/resolver.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0::amqp {

class AmqpDriver final : public driver::Driver {
 public:
  Capabilities capabilities() const override;
  absl::Status Check(const BrokerConfig& broker,
                     const std::vector<QueueConfig>& queues) const override;
  absl::StatusOr<std::unique_ptr<driver::Connection>> Connect(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, const Clock* clock, absl::Time now) override;

 private:
  Resolver resolver_;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_DRIVER_H_
