// RelayControl: how a relay that runs is told what to do: at its control
// socket, and by its config file, which is read again on SIGHUP or when it
// changes.
#ifndef TIELINE_TOOLS_RELAY_CONTROL_H_
#define TIELINE_TOOLS_RELAY_CONTROL_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/control/bus_control.h"
#include "lib/control/control_server.h"
#include "lib/engine/bus_target.h"
#include "tieline/bus.h"
#include "tools/file_watch.h"

namespace tieline::tools {

class RelayControl {
 public:
  // Takes SIGHUP over, then opens the control socket, if the bus's config has a
  // state file. `config_file` empty: there is nothing to read again. `watch`:
  // also when the file changes. Errors as of ControlServer::Open. The bus has
  // to outlive it.
  static absl::StatusOr<std::unique_ptr<RelayControl>> Open(
      Bus* bus, const std::string& config_file, bool watch);
  RelayControl(const RelayControl&) = delete;
  RelayControl& operator=(const RelayControl&) = delete;

  // Reads the file again if that was asked for, and begins what it moves. What
  // can't be done is said in one line, and all stays as it was.
  void Tick(absl::Time now);

 private:
  RelayControl(Bus* bus, std::string config_file, bool watch);
  void Reload();

  const std::string config_file_;
  BusTarget target_;
  const BusControl control_;
  std::optional<FileWatch> watch_;
  std::unique_ptr<ControlServer> server_;  // uses what stands above
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_RELAY_CONTROL_H_
