// How the command fails: one line on standard error, "tieline: what: where:
// remedy", and an exit code.
#ifndef TIELINE_TOOLS_FAILURE_H_
#define TIELINE_TOOLS_FAILURE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tieline/bus.h"
#include "tools/exit_code.h"

namespace tieline::tools {

// Prints "tieline: what: where: remedy" (empty parts left out; line breaks in a
// part become "; ") and returns the code.
ExitCode Fail(ExitCode code, std::string_view what, std::string_view where,
              std::string_view remedy);

// A config or URL that was refused: one line for each fault.
ExitCode FailConfig(const absl::Status& status);

// What a broker or the bus answered about `where`.
ExitCode FailStatus(const absl::Status& status, std::string_view where);

// The same for opening and asking, whose time may have been over because a
// broker is not connected: then that is what is said.
ExitCode FailStatus(const absl::Status& status, std::string_view where,
                    const Bus& bus);

ExitCode CodeOf(const absl::Status& status);

// What to try next, for each way to fail.
std::string_view RemedyFor(ExitCode code);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_FAILURE_H_
