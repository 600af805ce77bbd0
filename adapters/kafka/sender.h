// Sender: one topic that a connection sends to.
//
// Threads: the connection's.
#ifndef TIELINE_ADAPTERS_KAFKA_SENDER_H_
#define TIELINE_ADAPTERS_KAFKA_SENDER_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/kafka/client.h"
#include "adapters/kafka/producer.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace kafka {

class KafkaConnection;

class Sender final : public driver::SenderDriver {
 public:
  Sender(uint64_t number, driver::SenderSpec spec, driver::SenderSink* sink,
         KafkaConnection* connection, Producer* producer);
  ~Sender() override;

  size_t Submit(std::span<const driver::Outbound> batch, bool atomic) override;
  void Close() override;

  uint64_t number() const { return number_; }
  const QueueConfig& queue() const { return spec_.queue; }
  Producer* producer() const { return producer_; }
  bool closed() const { return state_ == State::kClosed; }

  // The topic is there, or not (the status says why).
  void OnChecked(const absl::Status& status, uint64_t max_message_bytes);
  // The producer's: what became of a record.
  void Accepted(uint64_t cookie, int32_t partition, int64_t offset) {
    if (offset < 0) {
      AcceptedUnseen(cookie, partition);
      return;
    }
    if (partition != last_known_) Know(partition);
    driver::Outcome& o = outcomes_.emplace_back();
    o.cookie = cookie;
    o.fate = driver::Fate::kAccepted;
    o.position = offset;
  }
  void Tell(driver::Outcome outcome);
  void Unblock() { sendable_ = true; }
  absl::Status Explain(rd_kafka_resp_err_t error) const;

  // Tells the sink what was collected; true when there was something.
  bool Run();
  // The connection is going: outcomes only from now on.
  void Stop() { stopped_ = true; }
  // The connection was let go of before this handle.
  void Orphan();

 private:
  enum class State : uint8_t { kOpening, kOpen, kClosing, kClosed };

  // The library has no offset for it: it concludes that the broker has it.
  void AcceptedUnseen(uint64_t cookie, int32_t partition);
  void Know(int32_t partition);

  const uint64_t number_;
  const driver::SenderSpec spec_;
  driver::SenderSink* const sink_;
  KafkaConnection* connection_;
  Producer* producer_;
  Owned<rd_kafka_topic_t> topic_;
  State state_ = State::kOpening;
  bool announced_ = false;
  bool sendable_ = false;
  bool refused_early_ = false;
  bool stopped_ = false;
  absl::Status closed_why_;
  uint64_t max_message_bytes_ = 0;
  uint64_t open_ = 0;  // cookies without an outcome
  // Partitions of which the broker knows the producer: it has given an offset.
  std::vector<bool> known_;
  int32_t last_known_ = -1;
  std::vector<driver::Outcome> outcomes_;
  std::vector<driver::Outcome> telling_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_SENDER_H_
