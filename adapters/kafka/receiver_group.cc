// Receiver: assignment and revocation.
//
// Eager (range, roundrobin): the group takes all partitions back, then gives
// out anew. Cooperative: only those that move. Either way the library waits
// for our answer, and goes on with its heartbeats meanwhile; so a revocation
// is announced (kClosing), the core settles what is in hand and drops the
// lanes, the watermarks are committed, and only then are they given back.

#include <algorithm>
#include <string_view>
#include <utility>

#include "adapters/kafka/connection.h"
#include "adapters/kafka/errors.h"
#include "adapters/kafka/receiver.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// What a revocation waits for its last commit.
constexpr absl::Duration kRevokeCommit = absl::Seconds(3);

bool IsCooperative(rd_kafka_t* rk) {
  const char* protocol = rd_kafka_rebalance_protocol(rk);
  return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
}

}  // namespace

void Receiver::OnRebalance(rd_kafka_event_t* event) {
  const rd_kafka_topic_partition_list_t* list =
      rd_kafka_event_topic_partition_list(event);
  if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS &&
      !close_asked_) {
    OnAssigned(list);
  } else {
    OnRevoked(list);
  }
}

void Receiver::OnAssigned(const rd_kafka_topic_partition_list_t* list) {
  ++round_;
  assigning_.reset(rd_kafka_topic_partition_list_copy(list));
  const bool asks =
      start_.kind == Start::Kind::kOffset || start_.kind == Start::Kind::kTime;
  if (asks && list->cnt > 0) {
    connection_->AskStart(this, round_, list);
    return;
  }
  const auto now = std::move(assigning_);
  Assign(now.get());
}

void Receiver::OnStart(uint32_t round, const absl::Status& status,
                       const std::vector<int64_t>& from) {
  if (assigning_ == nullptr || round != round_) return;
  if (!status.ok()) {
    Fail(status);
    return;
  }
  const auto list = std::move(assigning_);
  for (int i = 0; i < list->cnt; ++i) {
    list->elems[i].offset = from[static_cast<size_t>(i)];
  }
  Assign(list.get());
}

void Receiver::Assign(rd_kafka_topic_partition_list_t* list) {
  std::vector<Partition*> opened;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& tp = list->elems[i];
    const auto index = static_cast<size_t>(tp.partition);
    if (index >= lanes_.size()) lanes_.resize(index + 1);
    auto lane = std::make_unique<Partition>();
    lane->number = tp.partition;
    lane->epoch = ++epoch_;
    lane->queue.reset(
        rd_kafka_queue_get_partition(client_->rk(), tp.topic, tp.partition));
    // Before the assignment, so that no record takes another way.
    rd_kafka_queue_forward(lane->queue.get(), fetched_.get());
    opened.push_back(lane.get());
    active_.push_back(lane.get());
    lanes_[index] = std::move(lane);
  }
  for (Partition* lane : opened) Emit(*lane, driver::LaneState::kOpened);
  if (!spec_.browse && IsCooperative(client_->rk())) {
    const Owned<rd_kafka_error_t> error(
        rd_kafka_incremental_assign(client_->rk(), list));
    if (error != nullptr) {
      Fail(StatusOf(rd_kafka_error_code(error.get()), "assign partitions"));
    }
    return;
  }
  const rd_kafka_resp_err_t error = rd_kafka_assign(client_->rk(), list);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Fail(StatusOf(error, "assign partitions"));
  }
}

void Receiver::OnRevoked(const rd_kafka_topic_partition_list_t* list) {
  assigning_.reset();
  const bool lost = rd_kafka_assignment_lost(client_->rk()) != 0;
  revoke_all_ = !IsCooperative(client_->rk()) || list == nullptr;
  revoked_.reset(list == nullptr ? nullptr
                                 : rd_kafka_topic_partition_list_copy(list));
  const absl::Time until = now_ + spec_.lane_grace;
  revoking_ = true;
  revoke_until_ = until;
  for (Partition* lane : active_) {
    const bool taken =
        revoke_all_ || rd_kafka_topic_partition_list_find(
                           list, spec_.queue.entity.c_str(), lane->number);
    if (!taken || lane->state != Partition::State::kOpen) continue;
    lane->state = Partition::State::kClosing;
    Discard(lane);
    if (!lost && !close_asked_) Emit(*lane, driver::LaneState::kClosing, until);
  }
  if (!lost && !close_asked_) return;
  // Nothing of these can be committed any more, or is already.
  const absl::Status why =
      close_asked_ ? absl::OkStatus()
                   : absl::AbortedError(
                         "the group took the partition away (this member was "
                         "out of reach for too long)");
  for (size_t i = 0; i < active_.size();) {
    Partition* lane = active_[i];
    if (lane->state == Partition::State::kOpen) {
      ++i;
    } else {
      CloseLane(lane, why, lost);
    }
  }
  Unassign();
}

void Receiver::DropLane(driver::Lane number, uint32_t epoch) {
  Partition* lane = Find(static_cast<int32_t>(number));
  if (lane == nullptr || lane->epoch != epoch ||
      lane->state != Partition::State::kClosing) {
    return;
  }
  lane->state = Partition::State::kDropped;
  if (connection_ != nullptr) connection_->WakeOnce();
}

bool Receiver::ContinueRevocation(absl::Time now) {
  bool all_dropped = true;
  for (const Partition* lane : active_) {
    if (lane->state == Partition::State::kClosing) all_dropped = false;
  }
  if (!all_dropped && now < revoke_until_) {
    next_ = std::min(next_, revoke_until_);
    return false;
  }
  Commit(now, true);
  if (HasUncommitted() && now < revoke_until_ + kRevokeCommit) {
    next_ = std::min(next_, revoke_until_ + kRevokeCommit);
    return false;
  }
  FinishRevocation();
  return true;
}

void Receiver::FinishRevocation() {
  for (size_t i = 0; i < active_.size();) {
    Partition* lane = active_[i];
    if (lane->state == Partition::State::kOpen) {
      ++i;
      continue;
    }
    const bool overdue = lane->state == Partition::State::kClosing;
    CloseLane(lane,
              overdue ? absl::AbortedError(
                            "the partition was taken before its messages were "
                            "settled; they come again")
                      : absl::OkStatus(),
              overdue);
  }
  Unassign();
}

void Receiver::CloseLane(Partition* lane, const absl::Status& why,
                         bool is_fault) {
  const absl::Status open =
      why.ok() ? absl::AbortedError(
                     "the partition was given back while an earlier message "
                     "was unsettled; the message comes again")
               : why;
  AnswerOpen(lane, open);
  FlushSettled();
  Emit(*lane, driver::LaneState::kClosed, absl::InfiniteFuture(), why,
       is_fault);
  Discard(lane);
  std::erase_if(pending_, [&](rd_kafka_message_t* record) {
    if (record->partition != lane->number) return false;
    rd_kafka_message_destroy(record);
    return true;
  });
  std::erase(dirty_, lane);
  std::erase(active_, lane);
  lanes_[static_cast<size_t>(lane->number)].reset();
}

void Receiver::Unassign() {
  revoking_ = false;
  if (revoke_all_) {
    rd_kafka_assign(client_->rk(), nullptr);
  } else {
    const Owned<rd_kafka_error_t> error(
        rd_kafka_incremental_unassign(client_->rk(), revoked_.get()));
  }
  revoked_.reset();
}

}  // namespace kafka
}  // namespace tieline::inline v0
