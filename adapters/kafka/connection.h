// KafkaConnection: the clients that serve one core connection to a cluster: a
// control client (contact, metadata, administration), producers, and a
// consuming client for each receiver. All their queues write to one eventfd.
//
// librdkafka mends broken connections by itself. The connection lets it, as
// long as a round trip succeeds soon after every broker was said to be down;
// when none does it gives everything up, so that the core reconnects.
// Threads: one at a time, as the SPI says.
#ifndef TIELINE_ADAPTERS_KAFKA_CONNECTION_H_
#define TIELINE_ADAPTERS_KAFKA_CONNECTION_H_

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka/asks.h"
#include "adapters/kafka/background.h"
#include "adapters/kafka/client.h"
#include "adapters/kafka/producer.h"
#include "adapters/kafka/records.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace kafka {

class Receiver;
class Sender;

class KafkaConnection final : public driver::Connection {
 public:
  static absl::StatusOr<std::unique_ptr<KafkaConnection>> Make(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, absl::Time now);
  ~KafkaConnection() override;

  driver::PollSet pollable() const override;
  driver::Progress Run(absl::Time now) override;
  absl::StatusOr<std::unique_ptr<driver::SenderDriver>> OpenSender(
      const driver::SenderSpec& spec, driver::SenderSink* sink) override;
  absl::StatusOr<std::unique_ptr<driver::ReceiverDriver>> OpenReceiver(
      const driver::ReceiverSpec& spec, driver::ReceiverSink* sink) override;
  void Ask(uint64_t cookie, driver::Request request) override;
  void Close(absl::Time deadline) override;

  // For the handles.
  // Lets what comes to the queue wake the connection's runner.
  void Watch(rd_kafka_queue_t* queue) const;
  // Asks to be run, unless that was done since the last Run.
  void WakeOnce();
  void Drop(Sender* sender);
  void Drop(Receiver* receiver);
  // Looks up where to begin in `list`; Receiver::OnStart follows.
  void AskStart(Receiver* receiver, uint32_t round,
                const rd_kafka_topic_partition_list_t* list);
  // Wakes the client's threads that fetch these partitions, by a request that
  // passes through them.
  void Nudge(Receiver* receiver, Owned<rd_kafka_topic_partition_list_t> list);

 private:
  enum class State : uint8_t { kConnecting, kUp, kLosing, kClosing, kDead };

  KafkaConnection(const BrokerConfig& broker, driver::ConnectionSink* sink,
                  driver::Waker* waker, int fd, ClientRef control,
                  absl::Time now);
  void BeginContact();
  void OnContact(const absl::Status& status);
  void PollControl();
  void Judge(rd_kafka_resp_err_t error, const Client& client);
  void Verify(const Client& client);
  bool RunHandles();
  void Lose(absl::Status why);
  bool ContinueLosing();
  bool ContinueClosing();
  void End(const absl::Status& why);
  absl::StatusOr<Producer*> ProducerFor(const QueueConfig& queue);
  void CheckTopic(Sender* sender);
  void CheckTopic(Receiver* receiver);
  void Reply(driver::Reply reply);
  bool Post(Background::Job job);
  std::string Where() const;

  const BrokerConfig& broker_;
  driver::ConnectionSink* const sink_;
  driver::Waker* const waker_;
  const int fd_;
  ClientRef control_;
  Owned<rd_kafka_queue_t> control_queue_;
  Background background_;
  // Used by background_'s jobs, one at a time.
  const std::shared_ptr<FoundRecords> found_records_ =
      std::make_shared<FoundRecords>();
  const std::shared_ptr<GroupClients> group_clients_ =
      std::make_shared<GroupClients>(CommonSettings(broker_));
  Background brief_;  // what must not wait behind a slow answer
  State state_ = State::kConnecting;
  absl::Time now_;
  absl::Time next_;
  bool woken_ = false;

  std::optional<rd_kafka_resp_err_t> contact_error_;
  absl::Time contact_deadline_;
  bool verifying_ = false;
  absl::Status lost_why_;
  absl::Time end_by_ = absl::InfiniteFuture();

  uint64_t numbers_ = 0;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<Sender*> senders_;
  std::vector<Receiver*> receivers_;
  std::map<std::string, TopicInfo> known_topics_;
  std::vector<uint64_t> asked_;  // cookies without a reply
  std::vector<driver::Reply> replies_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_CONNECTION_H_
