// Whether a bus can run a config.
#ifndef TIELINE_LIB_ENGINE_CHECK_CONFIG_H_
#define TIELINE_LIB_ENGINE_CHECK_CONFIG_H_

#include "absl/status/status.h"
#include "tieline/config.h"

namespace tieline::inline v0 {

// What is wrong in itself, or to a registered backend (kInvalidArgument,
// kUnimplemented).
absl::Status CheckConfig(const Config& config);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_CHECK_CONFIG_H_
