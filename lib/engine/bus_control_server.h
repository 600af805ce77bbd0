// BusControlServer: a bus's own control socket, and what answers there.
#ifndef TIELINE_LIB_ENGINE_BUS_CONTROL_SERVER_H_
#define TIELINE_LIB_ENGINE_BUS_CONTROL_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/control/bus_control.h"
#include "lib/control/control_server.h"
#include "lib/engine/bus_target.h"

namespace tieline::inline v0 {

// Threads: made and destroyed by one. The bus has to outlive it.
class BusControlServer {
 public:
  // Errors as of ControlServer::Open.
  static absl::StatusOr<std::unique_ptr<BusControlServer>> Open(
      BusCore* bus, const std::string& path);
  BusControlServer(const BusControlServer&) = delete;
  BusControlServer& operator=(const BusControlServer&) = delete;

 private:
  explicit BusControlServer(BusCore* bus) : target_(bus), control_(&target_) {}

  BusTarget target_;
  const BusControl control_;
  std::unique_ptr<ControlServer> server_;  // uses what stands above
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_BUS_CONTROL_SERVER_H_
