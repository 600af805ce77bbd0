// Route: receive from one queue, send to another, settle after the destination
// accepted. At least once; order per key kept where both queues are ordered.
#ifndef TIELINE_ROUTE_H_
#define TIELINE_ROUTE_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/config.h"
#include "tieline/message.h"
#include "tieline/metrics.h"

namespace tieline::inline v0 {

class RouteCore;

enum class Verdict : uint8_t {
  kPass,
  kDrop,  // completed at the source without being sent
};

// Called on the runner's thread, after the config's steps; must not block. May
// change the message. An error counts as a failed attempt; one that throws
// too.
using Transform = std::function<absl::StatusOr<Verdict>(Message&)>;

class Route {
 public:
  // Made by Bus::StartRoute.
  explicit Route(std::shared_ptr<RouteCore> core);
  // Stop(5 s).
  ~Route();

  // Receives no more, waits for what is on its way, settles it, and gives the
  // rest back to the source. kDeadlineExceeded when something was still on its
  // way (it will be delivered again). Not from a callback
  // (kFailedPrecondition).
  absl::Status Stop(absl::Duration timeout);
  RouteMetrics metrics() const;
  // OK, or the last error that keeps the route from working.
  absl::Status health() const;

 private:
  std::shared_ptr<RouteCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_ROUTE_H_
