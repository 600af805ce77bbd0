// Producer: one producing client of a connection and the records in flight in
// it. The senders that agree in their settings share it.
//
// librdkafka holds records until the broker answers, without a time limit of
// its own (a record that timed out alone would be overtaken by later ones of
// its key). When the broker is gone the connection calls Abandon: everything
// is purged at once, and each record gets its fate.
// Threads: the connection's.
#ifndef TIELINE_ADAPTERS_KAFKA_PRODUCER_H_
#define TIELINE_ADAPTERS_KAFKA_PRODUCER_H_

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/record.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {
namespace kafka {

class Sender;

// A record in flight.
struct InFlight {
  Sender* sender = nullptr;  // null: nobody asks any more
  uint64_t cookie = 0;
  // The submitter's, until it was given the outcome; then `held` keeps what
  // the client library still points into.
  const Message* message = nullptr;
  uint32_t bytes = 0;
  bool used = false;
  InFlight* next_free = nullptr;
  Message held;
};

class Producer {
 public:
  struct Limits {
    size_t messages = 100000;
    size_t bytes = 32 << 20;
  };

  static absl::StatusOr<std::unique_ptr<Producer>> Make(Settings settings,
                                                        Limits limits);
  ~Producer();

  const Settings& settings() const { return settings_; }
  rd_kafka_t* rk() const { return client_->rk(); }
  const Client& client() const { return *client_.get(); }
  rd_kafka_queue_t* queue() const { return queue_.get(); }
  size_t in_flight() const { return in_flight_; }

  // Takes a prefix. What the library refuses at once is told with the next
  // Poll.
  size_t Submit(Sender* sender, rd_kafka_topic_t* topic,
                std::span<const driver::Outbound> batch);
  // Handles up to about `max` reports; true when there may be more.
  bool Poll(size_t max, absl::Time now);
  // No report came for so long, although records are in flight.
  absl::Duration Idle(absl::Time now) const;
  // Begins to give up all records: reports follow by Poll.
  void Purge();
  // Ends it: what still has no report becomes kUnknown.
  void Abandon(const absl::Status& why);
  // A sender goes away with records in flight.
  void Forget(Sender* sender);

  // The library says that this client cannot go on.
  const absl::Status& fatal() const { return fatal_; }
  // The last error event since this was asked.
  std::optional<rd_kafka_resp_err_t> TakeError();

 private:
  struct Pool {
    std::deque<InFlight> slots;
    InFlight* free = nullptr;
  };
  static constexpr size_t kBatch = 256;

  Producer(Settings settings, Limits limits, ClientRef client);
  InFlight* Take(Sender* sender, const driver::Outbound& out, size_t bytes);
  void GiveBack(InFlight* record);
  // Hands the collected plain records over.
  void Flush(rd_kafka_topic_t* topic);
  void Produce(rd_kafka_topic_t* topic, InFlight* record);
  void Refused(InFlight* record, rd_kafka_resp_err_t error);
  void OnReports(rd_kafka_event_t* event);
  void OnReport(const rd_kafka_message_t& report);
  void OnError(rd_kafka_event_t* event);

  const Settings settings_;
  const Limits limits_;
  ClientRef client_;
  Owned<rd_kafka_queue_t> queue_;
  std::shared_ptr<Pool> pool_;
  size_t in_flight_ = 0;
  size_t in_flight_bytes_ = 0;
  std::vector<rd_kafka_message_t> plain_;
  std::vector<const rd_kafka_message_t*> reports_;
  std::vector<Sender*> blocked_;
  RecordWriter writer_;
  absl::Time progress_ = absl::InfinitePast();
  absl::Status fatal_;
  std::optional<rd_kafka_resp_err_t> error_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_PRODUCER_H_
