// Receiver: one consuming client; its lanes are the partitions it is assigned.
//
// Each partition's queue is forwarded to one of the receiver's own, which is
// read only as far as there is credit, so nothing is ever paused (resuming
// would throw away what was fetched). The client's own queue then carries
// events alone and is read at every Run, which is what the group's
// max.poll.interval watches.
// Settling is a contiguous watermark per partition, committed by the receiver.
// Threads: the connection's.
#ifndef TIELINE_ADAPTERS_KAFKA_RECEIVER_H_
#define TIELINE_ADAPTERS_KAFKA_RECEIVER_H_

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/kafka/client.h"
#include "adapters/kafka/partition.h"
#include "adapters/kafka/settings.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace kafka {

class KafkaConnection;

class Receiver final : public driver::ReceiverDriver {
 public:
  Receiver(uint64_t number, driver::ReceiverSpec spec,
           driver::ReceiverSink* sink, KafkaConnection* connection,
           ClientRef client, Prefetch prefetch);
  ~Receiver() override;

  void Grant(driver::Lane lane, uint32_t messages, uint64_t bytes) override;
  void Drain() override;
  void Settle(std::span<const driver::Settlement> settlements) override;
  void DropLane(driver::Lane number, uint32_t epoch) override;
  void Close() override;

  uint64_t number() const { return number_; }
  const driver::ReceiverSpec& spec() const { return spec_; }
  const Client& client() const { return *client_.get(); }
  ClientRef ShareClient() const { return client_.Share(); }
  bool closed() const { return state_ == State::kClosed; }

  // The topic is there with so many partitions, or the status says why not.
  // For browsing, `from` has the offset to begin at in each.
  void OnChecked(const absl::Status& status, int32_t partitions,
                 const std::vector<int64_t>& from);
  // The offsets to begin at, for the assignment that asked (`round`).
  void OnStart(uint32_t round, const absl::Status& status,
               const std::vector<int64_t>& from);

  // A bounded amount of work; true when there may be more.
  bool Run(absl::Time now);
  absl::Time next() const { return next_; }
  // An error event for the connection to judge, since this was asked.
  std::optional<rd_kafka_resp_err_t> TakeError();

  // The connection is lost: answers what is open.
  void Lose(const absl::Status& why);
  // The connection was let go of before this handle.
  void Orphan();

 private:
  enum class State : uint8_t {
    kOpening,
    kOpen,
    kCommitting,  // closing: the last commit
    kLeaving,     // closing: leaving the group
    kClosed,
  };
  struct Committing {
    int32_t partition;
    uint32_t epoch;
    uint64_t upto;
  };
  static constexpr size_t kBatch = 256;  // in one turn
  static constexpr size_t kPiece = 4;    // handed out together

  // receiver.cc: life
  void Begin();
  void StartBrowsing();
  bool PollEvents();
  void OnError(rd_kafka_resp_err_t error, const char* text);
  bool ContinueClose(absl::Time now);
  void Fail(const absl::Status& why);
  void LetGo();
  Partition* Find(int32_t partition);
  void Emit(const Partition& lane, driver::LaneState state,
            absl::Time until = absl::InfiniteFuture(),
            const absl::Status& why = absl::OkStatus(), bool is_fault = false);

  // receiver_deliver.cc: records on their way to the sink
  bool Deliver();
  size_t Fetch(rd_kafka_queue_t* queue, size_t max);
  void Sort(rd_kafka_message_t* record);
  bool DeliverShared();
  bool DeliverOwn(Partition* lane);
  bool HandOut(rd_kafka_message_t* record, Partition* lane, Credit* credit);
  bool FlushInbound();
  void KeepFetching();
  void Stall(Partition* lane);
  void Resume(Partition* lane);
  void TakeOwnQueue(Partition* lane);
  void Discard(Partition* lane);

  // receiver_group.cc: assignment and revocation
  void OnRebalance(rd_kafka_event_t* event);
  void OnAssigned(const rd_kafka_topic_partition_list_t* list);
  void Assign(rd_kafka_topic_partition_list_t* list);
  void OnRevoked(const rd_kafka_topic_partition_list_t* list);
  bool ContinueRevocation(absl::Time now);
  void FinishRevocation();
  void CloseLane(Partition* lane, const absl::Status& why, bool is_fault);
  void Unassign();

  // receiver_settle.cc: watermarks and commits
  void MarkDirty(Partition* lane);
  bool Commit(absl::Time now, bool urgent);
  void OnCommitted(rd_kafka_event_t* event);
  void Confirm(Partition* lane, uint64_t upto, const absl::Status& status);
  void AnswerOpen(Partition* lane, const absl::Status& status);
  void Answer(const driver::Settlement& s, absl::Status status);
  bool FlushSettled();
  bool HasUncommitted() const;

  const uint64_t number_;
  const driver::ReceiverSpec spec_;
  driver::ReceiverSink* const sink_;
  KafkaConnection* connection_;
  ClientRef client_;
  Owned<rd_kafka_queue_t> events_;
  Owned<rd_kafka_queue_t> fetched_;
  const Start start_;
  const absl::Duration commit_pause_;
  const Prefetch prefetch_;
  const bool needs_nudges_;

  State state_ = State::kOpening;
  bool announced_ = false;
  bool close_asked_ = false;
  absl::Status closed_why_;
  absl::Time now_;
  absl::Time next_ = absl::InfiniteFuture();
  std::optional<rd_kafka_resp_err_t> error_;

  std::vector<std::unique_ptr<Partition>> lanes_;  // by partition
  std::vector<Partition*> active_;
  uint32_t epoch_ = 0;
  Credit credit_;
  bool draining_ = false;
  bool may_be_full_ = false;  // the client may have stopped fetching
  size_t typical_bytes_ = 0;  // of a message: a moving average
  std::vector<rd_kafka_message_t*> batch_;
  std::deque<rd_kafka_message_t*> pending_;  // fetched beyond the byte credit
  std::vector<driver::Inbound> inbound_;
  std::vector<driver::Settled> settled_;
  std::vector<driver::Settled> telling_;

  Owned<rd_kafka_topic_partition_list_t> assigning_;  // waits for its start
  uint32_t round_ = 0;
  std::vector<int64_t> browse_from_;
  bool revoking_ = false;
  bool revoke_all_ = false;
  Owned<rd_kafka_topic_partition_list_t> revoked_;
  absl::Time revoke_until_;
  absl::Time close_until_;

  std::vector<Partition*> dirty_;
  std::vector<Committing> committing_;
  bool commit_in_flight_ = false;
  absl::Time last_commit_ = absl::InfinitePast();
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_RECEIVER_H_
