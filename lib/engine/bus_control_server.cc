#include "lib/engine/bus_control_server.h"

#include <string_view>

#include "lib/base/status.h"

namespace tieline::inline v0 {

absl::StatusOr<std::unique_ptr<BusControlServer>> BusControlServer::Open(
    BusCore* bus, const std::string& path) {
  std::unique_ptr<BusControlServer> made(new BusControlServer(bus));
  TIELINE_ASSIGN_OR_RETURN(
      made->server_,
      ControlServer::Open(path, [self = made.get()](std::string_view request) {
        return self->control_.Answer(request);
      }));
  return made;
}

}  // namespace tieline::inline v0
