#include "adapters/kafka/admin.h"

#include <algorithm>

#include "adapters/kafka/errors.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {

int Patience::LeftMs(int most) const {
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  return static_cast<int>(std::clamp<int64_t>(left, 1, most));
}

bool Patience::over() const {
  return (stop != nullptr && stop->load(std::memory_order_relaxed)) ||
         absl::Now() >= deadline;
}

absl::Status GivenUp(const Patience& patience, std::string_view what,
                     rd_kafka_resp_err_t last) {
  if (patience.stop != nullptr && patience.stop->load()) {
    return absl::CancelledError("the connection was closed");
  }
  return StatusOf(
      last == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR__TIMED_OUT : last,
      what);
}

absl::StatusOr<Owned<rd_kafka_event_t>> Await(rd_kafka_queue_t* queue,
                                              std::string_view what,
                                              const Patience& patience) {
  while (!patience.over()) {
    Owned<rd_kafka_event_t> event(
        rd_kafka_queue_poll(queue, patience.LeftMs(kSliceMs)));
    if (event == nullptr) continue;
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    return MakeStatus(CodeOf(error), "{}: {}", what,
                      rd_kafka_event_error_string(event.get()));
  }
  return GivenUp(patience, what, RD_KAFKA_RESP_ERR_NO_ERROR);
}

Options OptionsFor(const Client& client, rd_kafka_admin_op_t op,
                   const Patience& patience) {
  Options options(rd_kafka_AdminOptions_new(client.rk(), op));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), patience.LeftMs(),
                                            nullptr, 0);
  return options;
}

}  // namespace kafka
}  // namespace tieline::inline v0
