#include "tools/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/base/status.h"

namespace tieline::tools {

absl::Status Output::Write(std::string_view text) {
  if (!fault_.ok()) return fault_;
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fault_ = MakeStatus(absl::StatusCode::kUnavailable, "standard output: {}",
                          std::strerror(errno));
      return fault_;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace tieline::tools
