// Any text as a config whose queue "q" is moved to broker "b": refused, or
// edited so that the queue is there and everything else as it was.
#include "lib/config/edit.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tieline {
namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void TryEdit(std::string_view text) {
  const auto moved = config::EditMove(text, "q", "b");
  if (!moved.ok()) {
    Expect(!moved.status().message().empty());
    return;
  }
  const auto before = config::ReadBinding(text, "q");
  const auto after = config::ReadBinding(*moved, "q");
  Expect(before.ok() && after.ok());
  Expect(*after == config::MovedTo(*before, "b"));
  // What was written can be taken out again, unless the queue was at "b"
  // before, or is written too strangely.
  const auto dropped = config::DropWas(*moved, "q", before->broker);
  if (!dropped.ok()) {
    const absl::StatusCode code = dropped.status().code();
    Expect(code == absl::StatusCode::kFailedPrecondition ||
           code == absl::StatusCode::kInvalidArgument);
    return;
  }
  const auto left = config::ReadBinding(*dropped, "q");
  Expect(left.ok() && left->generation == after->generation);
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tieline::TryEdit({reinterpret_cast<const char*>(data), size});
  return 0;
}
