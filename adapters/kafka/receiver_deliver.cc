// Receiver: from the client's queues to the sink, as far as there is credit.

#include <algorithm>
#include <utility>

#include "adapters/kafka/connection.h"
#include "adapters/kafka/receiver.h"
#include "adapters/kafka/record.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {

bool Receiver::Deliver() {
  bool more = false;
  // By index: the sink may not change lanes, but resuming does not either.
  for (Partition* lane : active_) {
    if (lane->stalled && lane->watermark.gap() < spec_.max_gap) Resume(lane);
    if (lane->own_credit && DeliverOwn(lane)) more = true;
  }
  if (DeliverShared()) more = true;
  return more;
}

size_t Receiver::Fetch(rd_kafka_queue_t* queue, size_t max) {
  const ssize_t n = rd_kafka_consume_batch_queue(queue, 0, batch_.data(),
                                                 std::min(max, batch_.size()));
  return n > 0 ? static_cast<size_t>(n) : 0;
}

bool Receiver::DeliverShared() {
  // What an earlier turn had no credit for.
  while (!pending_.empty() && credit_.any()) {
    rd_kafka_message_t* record = pending_.front();
    pending_.pop_front();
    Sort(record);
  }
  bool more = false;
  // In pieces: the first of them need not wait here for the last.
  for (size_t taken = 0; taken < kBatch && credit_.any() && pending_.empty();) {
    const size_t max = std::min<uint64_t>(credit_.messages, kPiece);
    const size_t count = Fetch(fetched_.get(), max);
    // A full piece, or the library skipped what was outdated.
    more = count > 0;
    if (!more) break;
    if (taken == 0) {
      typical_bytes_ = (typical_bytes_ * 7 + batch_[0]->len) / 8;
    }
    taken += count;
    for (size_t i = 0; i < count; ++i) Sort(batch_[i]);
    FlushInbound();
  }
  KeepFetching();
  FlushInbound();
  return more && credit_.any();
}

// A client whose queue was full looks at it again after up to a second only
// (kFetchBackoff): one that is half empty must not wait for that.
void Receiver::KeepFetching() {
  if (!needs_nudges_ || active_.empty()) return;
  const size_t messages = rd_kafka_queue_length(fetched_.get());
  const size_t bytes = messages * typical_bytes_;
  if (messages >= prefetch_.messages / 4 * 3 ||
      bytes >= prefetch_.bytes / 4 * 3) {
    may_be_full_ = true;
    return;
  }
  if (!may_be_full_ || messages > prefetch_.messages / 2 ||
      bytes > prefetch_.bytes / 2) {
    return;
  }
  may_be_full_ = false;
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(active_.size())));
  for (const Partition* lane : active_) {
    rd_kafka_topic_partition_list_add(list.get(), spec_.queue.entity.c_str(),
                                      lane->number)
        ->offset = RD_KAFKA_OFFSET_END;
  }
  connection_->Nudge(this, std::move(list));
}

// One record from the shared queue goes out, or to where it has to wait.
void Receiver::Sort(rd_kafka_message_t* record) {
  if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* text = rd_kafka_message_errstr(record);
    OnError(record->err, text == nullptr ? "" : text);
    rd_kafka_message_destroy(record);
    return;
  }
  Partition* lane = Find(record->partition);
  if (lane == nullptr || lane->state != Partition::State::kOpen) {
    rd_kafka_message_destroy(record);
    return;
  }
  if (!lane->own_queue() && !credit_.any()) {
    pending_.push_back(record);
    return;
  }
  if (lane->own_queue() || !lane->parked.empty() ||
      !HandOut(record, lane, &credit_)) {
    lane->parked.push_back(record);
  }
}

bool Receiver::DeliverOwn(Partition* lane) {
  if (lane->state != Partition::State::kOpen || lane->stalled) return false;
  while (!lane->parked.empty() && lane->credit.any()) {
    rd_kafka_message_t* record = lane->parked.front();
    if (!HandOut(record, lane, &lane->credit)) break;
    lane->parked.pop_front();
  }
  bool more = false;
  if (lane->parked.empty() && lane->credit.any()) {
    const size_t max = std::min<uint64_t>(lane->credit.messages, kBatch);
    const size_t count = Fetch(lane->queue.get(), max);
    more = count > 0;
    for (size_t i = 0; i < count; ++i) {
      rd_kafka_message_t* record = batch_[i];
      if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        OnError(record->err, rd_kafka_message_errstr(record));
        rd_kafka_message_destroy(record);
      } else if (!lane->parked.empty() || !lane->credit.any() ||
                 !HandOut(record, lane, &lane->credit)) {
        lane->parked.push_back(record);
      }
    }
  }
  FlushInbound();
  return more;
}

// False when the lane has reached its gap; the record stays the caller's.
bool Receiver::HandOut(rd_kafka_message_t* record, Partition* lane,
                       Credit* credit) {
  if (!spec_.browse && lane->watermark.gap() >= spec_.max_gap) {
    Stall(lane);
    return false;
  }
  driver::Inbound& in = inbound_.emplace_back();
  in.token.lane = driver::Lane{static_cast<uint32_t>(lane->number)};
  in.token.epoch = lane->epoch;
  if (!spec_.browse) in.token.id = lane->watermark.Add(record->offset);
  in.position = record->offset;
  credit->Take(record->len);
  in.message = MessageFrom(record);
  return true;
}

bool Receiver::FlushInbound() {
  if (inbound_.empty()) return false;
  client_->Ref(static_cast<int64_t>(inbound_.size()));
  sink_->OnDeliveries(inbound_);
  inbound_.clear();
  return true;
}

void Receiver::TakeOwnQueue(Partition* lane) {
  if (lane->own_queue()) return;
  rd_kafka_queue_forward(lane->queue.get(), nullptr);
  if (connection_ != nullptr) connection_->Watch(lane->queue.get());
  // Older records may wait in the shared queue.
  for (size_t count = 0; (count = Fetch(fetched_.get(), kBatch)) > 0;) {
    pending_.insert(pending_.end(), batch_.begin(),
                    batch_.begin() + static_cast<ptrdiff_t>(count));
  }
  std::erase_if(pending_, [&](rd_kafka_message_t* record) {
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
        record->partition != lane->number) {
      return false;
    }
    lane->parked.push_back(record);
    return true;
  });
}

void Receiver::Stall(Partition* lane) {
  if (lane->stalled) return;
  // Not TakeOwnQueue: the batch in hand is not sorted yet. What is on its way
  // is parked as it comes, and nothing of the own queue is read meanwhile.
  if (!lane->own_credit) rd_kafka_queue_forward(lane->queue.get(), nullptr);
  lane->stalled = true;
  Emit(*lane, driver::LaneState::kStalled, absl::InfiniteFuture(),
       MakeStatus(absl::StatusCode::kResourceExhausted,
                  "queue {}, partition {}: {} messages wait for the oldest "
                  "unsettled one; settle it or raise max_gap",
                  spec_.queue.name, lane->number, spec_.max_gap));
}

void Receiver::Resume(Partition* lane) {
  // Parked records are older than all others of the lane.
  Credit* credit = lane->own_credit ? &lane->credit : &credit_;
  while (!lane->parked.empty() && credit->any() &&
         lane->watermark.gap() < spec_.max_gap) {
    HandOut(lane->parked.front(), lane, credit);
    lane->parked.pop_front();
  }
  FlushInbound();
  if (!lane->parked.empty()) return;
  lane->stalled = false;
  if (!lane->own_credit) {
    // Appends what the own queue holds behind the shared one's records.
    rd_kafka_queue_forward(lane->queue.get(), fetched_.get());
    may_be_full_ = true;
  }
  Emit(*lane, driver::LaneState::kResumed);
}

void Receiver::Discard(Partition* lane) {
  for (rd_kafka_message_t* record : lane->parked) {
    rd_kafka_message_destroy(record);
  }
  lane->parked.clear();
}

}  // namespace kafka
}  // namespace tieline::inline v0
