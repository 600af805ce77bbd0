// Writes received messages to standard output, and says whether they are
// really there before they are settled.
#ifndef TIELINE_TOOLS_OUTPUT_H_
#define TIELINE_TOOLS_OUTPUT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tieline::tools {

class Output {
 public:
  // Writes text whole. kUnavailable with the reason (disk full, pipe closed).
  absl::Status Write(std::string_view text);

 private:
  absl::Status fault_;  // once failed, failed for good
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_OUTPUT_H_
