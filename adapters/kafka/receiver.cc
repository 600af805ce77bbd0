#include "adapters/kafka/receiver.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/kafka/capabilities.h"
#include "adapters/kafka/connection.h"
#include "adapters/kafka/errors.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// Often enough for the group's max.poll.interval (5 minutes by default).
constexpr absl::Duration kPollEvery = absl::Seconds(5);
// What a close waits for its last commit.
constexpr absl::Duration kCloseCommit = absl::Seconds(3);

Start StartOf(const driver::ReceiverSpec& spec) {
  const auto start = ParseStart(spec.queue.start);
  return start.ok() ? *start : Start();  // Check() refused what is wrong
}

}  // namespace

Receiver::Receiver(uint64_t number, driver::ReceiverSpec spec,
                   driver::ReceiverSink* sink, KafkaConnection* connection,
                   ClientRef client, Prefetch prefetch)
    : number_(number),
      spec_(std::move(spec)),
      sink_(sink),
      connection_(connection),
      client_(std::move(client)),
      start_(StartOf(spec_)),
      commit_pause_(spec_.queue.tuning == Tuning::kLatency
                        ? absl::Milliseconds(1)
                        : absl::Milliseconds(10)),
      prefetch_(prefetch),
      needs_nudges_(rd_kafka_version() < kFetchBackoff) {
  // Errors come by the same queue as the group's events.
  rd_kafka_poll_set_consumer(client_->rk());
  events_.reset(rd_kafka_queue_get_consumer(client_->rk()));
  fetched_.reset(rd_kafka_queue_new(client_->rk()));
  connection_->Watch(events_.get());
  connection_->Watch(fetched_.get());
  batch_.resize(kBatch);
  inbound_.reserve(kBatch);
}

Receiver::~Receiver() {
  if (connection_ != nullptr) connection_->Drop(this);
  Orphan();
}

void Receiver::Orphan() {
  connection_ = nullptr;
  LetGo();
  state_ = State::kClosed;
}

// Gives up everything that belongs to the client, and membership in its group.
void Receiver::LetGo() {
  if (!client_) return;
  for (Partition* lane : active_) Discard(lane);
  for (rd_kafka_message_t* record : pending_) rd_kafka_message_destroy(record);
  pending_.clear();
  active_.clear();
  lanes_.clear();
  for (Owned<rd_kafka_queue_t>* queue : {&events_, &fetched_}) {
    if (*queue == nullptr) continue;
    rd_kafka_queue_io_event_enable(queue->get(), -1, nullptr, 0);
    queue->reset();
  }
  dirty_.clear();
  if (state_ != State::kClosed) client_->LeaveSoon();
  client_ = ClientRef();
}

Partition* Receiver::Find(int32_t partition) {
  const auto index = static_cast<size_t>(partition);
  return index < lanes_.size() ? lanes_[index].get() : nullptr;
}

void Receiver::Emit(const Partition& lane, driver::LaneState state,
                    absl::Time until, const absl::Status& why, bool is_fault) {
  driver::LaneEvent event;
  event.lane = driver::Lane{static_cast<uint32_t>(lane.number)};
  event.epoch = lane.epoch;
  event.state = state;
  event.name = std::to_string(lane.number);
  event.until = until;
  event.why = why;
  event.is_fault = is_fault;
  sink_->OnLane(event);
}

void Receiver::Grant(driver::Lane lane, uint32_t messages, uint64_t bytes) {
  if (connection_ == nullptr || state_ == State::kClosed) return;
  if (lane == driver::kAllLanes) {
    credit_.Add(messages, bytes);
  } else if (Partition* p = Find(static_cast<int32_t>(lane)); p != nullptr) {
    if (!p->own_credit) {
      TakeOwnQueue(p);
      p->own_credit = true;
    }
    p->credit.Add(messages, bytes);
  } else {
    return;
  }
  connection_->WakeOnce();
}

void Receiver::Drain() {
  credit_ = {};
  for (Partition* lane : active_) lane->credit = {};
  draining_ = true;
  if (connection_ != nullptr) connection_->WakeOnce();
}

void Receiver::Close() {
  close_asked_ = true;
  if (connection_ != nullptr) connection_->WakeOnce();
}

void Receiver::OnChecked(const absl::Status& status, int32_t partitions,
                         const std::vector<int64_t>& from) {
  if (state_ != State::kOpening) return;
  if (!status.ok()) {
    Fail(status);
    return;
  }
  lanes_.resize(static_cast<size_t>(partitions));
  browse_from_ = from;
  state_ = State::kOpen;
}

void Receiver::Begin() {
  announced_ = true;
  sink_->OnOpened(KafkaCapabilities());
  if (spec_.browse) {
    StartBrowsing();
    return;
  }
  const Owned<rd_kafka_topic_partition_list_t> topics(
      rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), spec_.queue.entity.c_str(),
                                    RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t error =
      rd_kafka_subscribe(client_->rk(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Fail(StatusOf(error, "subscribe to " + spec_.queue.entity));
  }
}

void Receiver::StartBrowsing() {
  const auto count = static_cast<int>(browse_from_.size());
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(count));
  for (int i = 0; i < count; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), spec_.queue.entity.c_str(), i)
        ->offset = browse_from_[static_cast<size_t>(i)];
  }
  Assign(list.get());
}

void Receiver::Fail(const absl::Status& why) {
  if (closed_why_.ok()) closed_why_ = why;
  close_asked_ = true;
  next_ = now_;
}

bool Receiver::Run(absl::Time now) {
  if (state_ == State::kClosed) return false;
  now_ = now;
  next_ = now + kPollEvery;
  bool more = PollEvents();
  if (state_ == State::kOpen && !announced_) Begin();
  if (state_ == State::kOpen && !close_asked_ && Deliver()) more = true;
  if (draining_) {
    draining_ = false;
    sink_->OnDrained();
  }
  if (revoking_ && ContinueRevocation(now)) more = true;
  if (Commit(now, false)) more = true;
  if (FlushSettled()) more = true;
  if (close_asked_ && ContinueClose(now)) more = true;
  return more;
}

bool Receiver::PollEvents() {
  constexpr int kMax = 64;
  for (int i = 0; i < kMax; ++i) {
    const Owned<rd_kafka_event_t> event(rd_kafka_queue_poll(events_.get(), 0));
    if (event == nullptr) return false;
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_REBALANCE:
        OnRebalance(event.get());
        break;
      case RD_KAFKA_EVENT_OFFSET_COMMIT:
        OnCommitted(event.get());
        break;
      case RD_KAFKA_EVENT_ERROR:
        OnError(rd_kafka_event_error(event.get()),
                rd_kafka_event_error_string(event.get()));
        break;
      default:
        break;
    }
  }
  return true;
}

void Receiver::OnError(rd_kafka_resp_err_t error, const char* text) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> why{};
    error = rd_kafka_fatal_error(client_->rk(), why.data(), why.size());
    Fail(MakeStatus(CodeOf(error), "group {}: {}", spec_.queue.group,
                    why.data()));
    return;
  }
  if (IsOfEntity(error)) {
    Fail(MakeStatus(CodeOf(error), "topic {}, group {}: {}", spec_.queue.entity,
                    spec_.queue.group, text));
    return;
  }
  error_ = error;
}

std::optional<rd_kafka_resp_err_t> Receiver::TakeError() {
  return std::exchange(error_, std::nullopt);
}

bool Receiver::ContinueClose(absl::Time now) {
  switch (state_) {
    case State::kOpening:
    case State::kClosed:
      break;
    case State::kOpen:
      state_ = State::kCommitting;
      close_until_ = now + kCloseCommit;
      for (Partition* lane : active_) Discard(lane);
      [[fallthrough]];
    case State::kCommitting:
      Commit(now, true);
      if (HasUncommitted() && now < close_until_ && error_ == std::nullopt) {
        next_ = std::min(next_, close_until_);
        return false;
      }
      for (Partition* lane : active_) {
        AnswerOpen(
            lane, absl::AbortedError("the receiver was closed while an earlier "
                                     "message was unsettled; it comes again"));
      }
      FlushSettled();
      if (!spec_.browse && announced_) {
        state_ = State::kLeaving;
        const Owned<rd_kafka_error_t> error(
            rd_kafka_consumer_close_queue(client_->rk(), events_.get()));
        return true;
      }
      break;
    case State::kLeaving:
      if (rd_kafka_consumer_closed(client_->rk()) == 0) {
        next_ = std::min(next_, now + absl::Milliseconds(10));
        return false;
      }
      client_->SkipLeave();
      break;
  }
  if (state_ == State::kClosed) return false;
  state_ = State::kClosed;
  sink_->OnClosed(closed_why_);
  return true;
}

void Receiver::Lose(const absl::Status& why) {
  if (state_ == State::kClosed) return;
  for (Partition* lane : active_) AnswerOpen(lane, why);
  FlushSettled();
  LetGo();
  state_ = State::kClosed;
}

}  // namespace kafka
}  // namespace tieline::inline v0
