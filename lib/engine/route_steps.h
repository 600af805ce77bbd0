// What a route's configured steps do to a message.
#ifndef TIELINE_LIB_ENGINE_ROUTE_STEPS_H_
#define TIELINE_LIB_ENGINE_ROUTE_STEPS_H_

#include <vector>

#include "tieline/config.h"
#include "tieline/message.h"
#include "tieline/route.h"

namespace tieline::inline v0 {

// Applies them in order; kDrop at the first that the message does not pass.
Verdict ApplySteps(const std::vector<RouteStep>& steps, Message& message);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_ROUTE_STEPS_H_
