// Receiver: watermarks and commits.

#include <algorithm>
#include <utility>

#include "adapters/kafka/connection.h"
#include "adapters/kafka/errors.h"
#include "adapters/kafka/receiver.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

absl::Status Stale() {
  return absl::AbortedError(
      "the partition was given to another receiver; the message comes again");
}

}  // namespace

void Receiver::Answer(const driver::Settlement& s, absl::Status status) {
  driver::Settled& settled = settled_.emplace_back();
  settled.token = s.token;
  settled.verb = s.verb;
  settled.status = std::move(status);
}

void Receiver::Settle(std::span<const driver::Settlement> settlements) {
  for (const driver::Settlement& s : settlements) {
    Partition* lane = Find(static_cast<int32_t>(s.token.lane));
    if (lane == nullptr || lane->epoch != s.token.epoch ||
        lane->state == Partition::State::kDropped || state_ != State::kOpen) {
      Answer(s, Stale());
      continue;
    }
    switch (s.verb) {
      case driver::Verb::kComplete:
        if (spec_.browse) {
          Answer(s, absl::OkStatus());
          break;
        }
        switch (lane->watermark.Settle(s.token.id)) {
          case Watermark::Mark::kSettled:
            MarkDirty(lane);
            break;
          case Watermark::Mark::kAlready:
            Answer(s, absl::AbortedError("settled before"));
            break;
          case Watermark::Mark::kUnknown:
            Answer(s, absl::AbortedError("no such delivery"));
            break;
        }
        break;
      case driver::Verb::kAbandon:
      case driver::Verb::kRelease:
        // The watermark stays below it: it comes again with the partition's
        // next assignment.
        Answer(s, absl::OkStatus());
        break;
      case driver::Verb::kDeadLetter:
      case driver::Verb::kDefer:
      case driver::Verb::kRenew:
        Answer(s, absl::UnimplementedError("Kafka has no such thing"));
        break;
    }
  }
  if (connection_ != nullptr) connection_->WakeOnce();
}

void Receiver::MarkDirty(Partition* lane) {
  if (lane->dirty || lane->watermark.low() == lane->committed) return;
  lane->dirty = true;
  dirty_.push_back(lane);
}

bool Receiver::HasUncommitted() const {
  return commit_in_flight_ || !dirty_.empty();
}

bool Receiver::Commit(absl::Time now, bool urgent) {
  if (dirty_.empty() || commit_in_flight_) return false;
  if (!urgent && now < last_commit_ + commit_pause_) {
    next_ = std::min(next_, last_commit_ + commit_pause_);
    return false;
  }
  const Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(dirty_.size())));
  for (Partition* lane : dirty_) {
    rd_kafka_topic_partition_list_add(list.get(), spec_.queue.entity.c_str(),
                                      lane->number)
        ->offset = lane->watermark.position();
    committing_.push_back({lane->number, lane->epoch, lane->watermark.low()});
    lane->dirty = false;
  }
  dirty_.clear();
  last_commit_ = now;
  const rd_kafka_resp_err_t error = rd_kafka_commit_queue(
      client_->rk(), list.get(), events_.get(), nullptr, nullptr);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    commit_in_flight_ = true;
    return true;
  }
  // Nothing was sent; the next turn tries again.
  for (const Committing& c : std::exchange(committing_, {})) {
    MarkDirty(Find(c.partition));
  }
  return false;
}

void Receiver::OnCommitted(rd_kafka_event_t* event) {
  if (!commit_in_flight_) return;
  commit_in_flight_ = false;
  const rd_kafka_resp_err_t whole = rd_kafka_event_error(event);
  rd_kafka_topic_partition_list_t* list =
      rd_kafka_event_topic_partition_list(event);
  for (const Committing& c : std::exchange(committing_, {})) {
    Partition* lane = Find(c.partition);
    if (lane == nullptr || lane->epoch != c.epoch) continue;
    rd_kafka_resp_err_t error = whole;
    if (const auto* one =
            list == nullptr
                ? nullptr
                : rd_kafka_topic_partition_list_find(
                      list, spec_.queue.entity.c_str(), c.partition);
        error == RD_KAFKA_RESP_ERR_NO_ERROR && one != nullptr) {
      error = one->err;
    }
    switch (CodeOf(error)) {
      case absl::StatusCode::kOk:
        lane->committed = std::max(lane->committed, c.upto);
        Confirm(lane, c.upto, absl::OkStatus());
        MarkDirty(lane);
        break;
      case absl::StatusCode::kUnavailable:
        MarkDirty(lane);  // it is tried again, or the connection is lost
        break;
      default:
        if (error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) {
          MarkDirty(lane);
          break;
        }
        lane->committed = std::max(lane->committed, c.upto);
        Confirm(lane, c.upto,
                StatusOf(error, "commit to group " + spec_.queue.group));
    }
  }
}

// Answers all completions below `upto` that have had none.
void Receiver::Confirm(Partition* lane, uint64_t upto,
                       const absl::Status& status) {
  for (; lane->reported < upto; ++lane->reported) {
    driver::Settled& settled = settled_.emplace_back();
    settled.token.lane = driver::Lane{static_cast<uint32_t>(lane->number)};
    settled.token.epoch = lane->epoch;
    settled.token.id = lane->reported;
    settled.verb = driver::Verb::kComplete;
    if (!status.ok()) settled.status = status;
  }
}

// Answers every completion that has had none: the lane ends here.
void Receiver::AnswerOpen(Partition* lane, const absl::Status& status) {
  if (spec_.browse) return;
  lane->watermark.EachSettled(lane->reported, [&](uint64_t number) {
    driver::Settled& settled = settled_.emplace_back();
    settled.token.lane = driver::Lane{static_cast<uint32_t>(lane->number)};
    settled.token.epoch = lane->epoch;
    settled.token.id = number;
    settled.verb = driver::Verb::kComplete;
    settled.status = status;
  });
  lane->reported = lane->watermark.next();
}

bool Receiver::FlushSettled() {
  if (settled_.empty()) return false;
  telling_.swap(settled_);
  sink_->OnSettled(telling_);
  telling_.clear();
  return true;
}

}  // namespace kafka
}  // namespace tieline::inline v0
