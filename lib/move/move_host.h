// MoveHost: what the move of a queue needs of its bus.
#ifndef TIELINE_LIB_MOVE_MOVE_HOST_H_
#define TIELINE_LIB_MOVE_MOVE_HOST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/receiver_leg.h"
#include "lib/engine/runner.h"
#include "lib/move/members.h"
#include "lib/move/move_store.h"
#include "tieline/bus_options.h"
#include "tieline/config.h"

namespace tieline::inline v0 {

// Threads: any.
class MoveHost {
 public:
  virtual ~MoveHost() = default;
  // A connection for a handle at the queue's broker.
  virtual absl::StatusOr<std::shared_ptr<Endpoint>> EndpointAt(
      const QueueConfig& queue) = 0;
  virtual std::shared_ptr<ReceiverLeg> MakeReceiverLeg(
      const std::shared_ptr<Endpoint>& endpoint, QueueConfig queue,
      ReceiverOptions options, uint8_t number) = 0;
  virtual Runner& runner() = 0;
  virtual void Log(LogLevel level, std::string_view text) = 0;
  virtual MoveStore& store() = 0;
  virtual Members& members() = 0;
  // A report has changed.
  virtual void OnReport() = 0;
  // Between a queue's switch and the end of its move the ids of what was
  // handled are kept.
  virtual void SetMoving(const std::string& queue, bool moves) = 0;
  // Second copies so far, in this process.
  virtual uint64_t SuppressedOf(const std::string& queue) const = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MOVE_MOVE_HOST_H_
