#include "tools/process.h"

#include <unistd.h>

#include <utility>

#include "lib/base/status.h"
#include "lib/control/control_server.h"
#include "lib/control/reply.h"
#include "lib/store/store_file.h"

namespace tieline::tools {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

// OK when nobody has the store open.
absl::Status CheckFree(const std::string& state_file) {
  // Taking the lock would make it.
  if (access((state_file + ".lock").c_str(), F_OK) != 0) {
    return absl::OkStatus();
  }
  return store::StoreLock::Take(state_file).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Find(
    const std::string& state_file) {
  auto client = ControlClient::Connect(ControlPath(state_file), kTimeout);
  if (client.ok()) {
    return std::unique_ptr<Process>(new Process(*std::move(client)));
  }
  if (client.status().code() != absl::StatusCode::kNotFound) {
    return client.status();
  }
  const absl::Status is_free = CheckFree(state_file);
  if (is_free.code() == absl::StatusCode::kFailedPrecondition) {
    return Annotate(is_free,
                    "it runs without a control socket, or is starting "
                    "or stopping; try again");
  }
  return std::unique_ptr<Process>();
}

absl::StatusOr<Process::Json> Process::Ask(const std::string& op,
                                           const Json& members) {
  Json request = {{"op", op}};
  request.update(members);
  TIELINE_ASSIGN_OR_RETURN(const std::string line,
                           client_->Ask(control::ToLine(request), kTimeout));
  return control::ReadReply(line);
}

}  // namespace tieline::tools
