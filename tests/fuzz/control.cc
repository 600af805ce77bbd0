// Any line as a request at the control socket: one line of JSON comes back, and
// a config that was applied is one that may be.
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/control/bus_control.h"
#include "lib/control/reply.h"
#include "tests/control/fake_target.h"

namespace tieline {
namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void TryRequest(std::string_view request) {
  testing::FakeTarget target;
  target.journal_ = {{1, absl::UnixEpoch(), "kind", std::string(request)}};
  const BusControl bus(&target);
  const std::string answer = bus.Answer(request);
  Expect(answer.find('\n') == std::string::npos);
  const auto reply = control::ReadReply(answer);
  Expect(reply.ok() || reply.status().code() != absl::StatusCode::kInternal);
  Expect(answer.find("hunter2") == std::string::npos ||
         request.find("hunter2") != std::string_view::npos);
  const QueueConfig& queue = target.config_.queues.at("q");
  uint64_t next = queue.generation;
  for (size_t i = queue.was.size(); i-- > 0;) {
    Expect(queue.was[i].generation < next);
    next = queue.was[i].generation;
  }
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tieline::TryRequest({reinterpret_cast<const char*>(data), size});
  return 0;
}
