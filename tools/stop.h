// Stopping by signal: SIGINT and SIGTERM ask for a clean stop, a second one
// ends the process at once. SIGHUP may ask for the configuration to be read
// again.
#ifndef TIELINE_TOOLS_STOP_H_
#define TIELINE_TOOLS_STOP_H_

#include <stop_token>

#include "absl/time/time.h"

namespace tieline::tools {

// Takes over SIGINT and SIGTERM for the process's life, and ignores SIGPIPE (a
// closed output is an error of the write). Call once, before other threads are
// made.
void WatchSignals();

// Stops at the first signal.
std::stop_token StopToken();
// The signal's number, 0 before.
int StopSignal();

// Waits until the stop, or for `duration`; true when stopped.
bool WaitForStop(absl::Duration duration);

// From here on SIGHUP ends the process no more: TakeHangup says, once for all
// that came, that there was one.
void WatchHangups();
bool TakeHangup();

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_STOP_H_
