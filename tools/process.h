// The process that runs a config: found by its state file, asked at its control
// socket.
#ifndef TIELINE_TOOLS_PROCESS_H_
#define TIELINE_TOOLS_PROCESS_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/control/control_client.h"

namespace tieline::tools {

class Process {
 public:
  using Json = nlohmann::ordered_json;

  // Null when none runs.
  //   kFailedPrecondition  one has the state file, and no control socket
  //   else as ControlClient::Connect
  static absl::StatusOr<std::unique_ptr<Process>> Find(
      const std::string& state_file);

  // The answer to {"op": `op`, ...`members`}, or the error that it tells.
  // kUnavailable: the process ended. As ControlClient::Ask for the rest.
  absl::StatusOr<Json> Ask(const std::string& op,
                           const Json& members = Json::object());

 private:
  explicit Process(std::unique_ptr<ControlClient> client)
      : client_(std::move(client)) {}

  std::unique_ptr<ControlClient> client_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_PROCESS_H_
