// One message to a queue and back, for `tieline doctor`.
#ifndef TIELINE_TOOLS_PROBE_H_
#define TIELINE_TOOLS_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/bus.h"

namespace tieline::tools {

struct ProbeResult {
  absl::Status sent;
  absl::Status received;
  absl::Duration took = absl::ZeroDuration();
};

// Sends a message with an id of its own and looks for it: where the backend
// can replay, from its position on without taking anything; else by receiving,
// giving back whatever else comes.
ProbeResult Probe(Bus* bus, Sender* sender, const std::string& queue,
                  absl::Duration timeout);

// Asks the broker itself, whatever queues it has in the config.
absl::StatusOr<driver::Reply> AskBroker(Bus* bus, const std::string& broker,
                                        const driver::Request& request,
                                        absl::Duration timeout);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_PROBE_H_
