// What the blocking calls to librdkafka share: owned objects, waiting, giving
// up.
//
// Threads: stateless; on the Background thread.
#ifndef TIELINE_ADAPTERS_KAFKA_ADMIN_H_
#define TIELINE_ADAPTERS_KAFKA_ADMIN_H_

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/kafka/asks.h"
#include "adapters/kafka/client.h"

namespace tieline::inline v0 {
namespace kafka {

struct FreeMore {
  void operator()(const rd_kafka_metadata_t* p) const {
    rd_kafka_metadata_destroy(p);
  }
  void operator()(rd_kafka_AdminOptions_t* p) const {
    rd_kafka_AdminOptions_destroy(p);
  }
  void operator()(rd_kafka_NewTopic_t* p) const {
    rd_kafka_NewTopic_destroy(p);
  }
  void operator()(rd_kafka_DeleteTopic_t* p) const {
    rd_kafka_DeleteTopic_destroy(p);
  }
  void operator()(rd_kafka_ConfigResource_t* p) const {
    rd_kafka_ConfigResource_destroy(p);
  }
  void operator()(rd_kafka_ListConsumerGroupOffsets_t* p) const {
    rd_kafka_ListConsumerGroupOffsets_destroy(p);
  }
  void operator()(rd_kafka_AlterConsumerGroupOffsets_t* p) const {
    rd_kafka_AlterConsumerGroupOffsets_destroy(p);
  }
};
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, FreeMore>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, FreeMore>;

// What one wait takes at most: short enough to notice Patience::stop.
inline constexpr int kSliceMs = 500;

// Why a call ended without an answer: kCancelled, or `last` or a time-out.
absl::Status GivenUp(const Patience& patience, std::string_view what,
                     rd_kafka_resp_err_t last);

// Waits for the one event that an administrative call answers with.
absl::StatusOr<Owned<rd_kafka_event_t>> Await(rd_kafka_queue_t* queue,
                                              std::string_view what,
                                              const Patience& patience);

Options OptionsFor(const Client& client, rd_kafka_admin_op_t op,
                   const Patience& patience);

// Calls `ask` until what it returns (a status, or a StatusOr) is not
// kUnavailable: a group's coordinator is being found, loads, or has moved.
template <typename F>
auto AskCoordinator(const Client& client, const Patience& patience, F ask) {
  constexpr int kPauseMs = 10;
  const Owned<rd_kafka_queue_t> nothing(rd_kafka_queue_new(client.rk()));
  const auto status_of = [](const auto& result) {
    if constexpr (std::is_same_v<std::decay_t<decltype(result)>,
                                 absl::Status>) {
      return result;
    } else {
      return result.status();
    }
  };
  for (;;) {
    auto result = ask();
    if (!absl::IsUnavailable(status_of(result)) || patience.over()) {
      return result;
    }
    const Owned<rd_kafka_event_t> none(
        rd_kafka_queue_poll(nothing.get(), kPauseMs));
  }
}

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_ADMIN_H_
