#include "adapters/kafka/sender.h"

#include <utility>

#include "adapters/kafka/capabilities.h"
#include "adapters/kafka/connection.h"
#include "adapters/kafka/errors.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {

Sender::Sender(uint64_t number, driver::SenderSpec spec,
               driver::SenderSink* sink, KafkaConnection* connection,
               Producer* producer)
    : number_(number),
      spec_(std::move(spec)),
      sink_(sink),
      connection_(connection),
      producer_(producer) {}

Sender::~Sender() {
  if (producer_ != nullptr && open_ > 0) producer_->Forget(this);
  if (connection_ != nullptr) connection_->Drop(this);
}

void Sender::Orphan() {
  connection_ = nullptr;
  producer_ = nullptr;
  topic_.reset();
  state_ = State::kClosed;
}

size_t Sender::Submit(std::span<const driver::Outbound> batch, bool atomic) {
  if (atomic) return 0;  // no transactions
  if (state_ != State::kOpen || !announced_ || stopped_ ||
      producer_ == nullptr) {
    if (state_ == State::kOpening || !announced_) refused_early_ = true;
    return 0;
  }
  const size_t taken = producer_->Submit(this, topic_.get(), batch);
  open_ += taken;
  if (!outcomes_.empty()) connection_->WakeOnce();
  return taken;
}

void Sender::Close() {
  if (state_ == State::kClosing || state_ == State::kClosed) return;
  state_ = State::kClosing;
  if (connection_ != nullptr) connection_->WakeOnce();
}

void Sender::OnChecked(const absl::Status& status, uint64_t max_message_bytes) {
  if (state_ != State::kOpening) return;
  max_message_bytes_ = max_message_bytes;
  if (status.ok()) {
    // Not before: for a topic that a producer knows of and the broker does not,
    // the client has the broker make one, with the broker's own defaults.
    topic_.reset(rd_kafka_topic_new(producer_->rk(), spec_.queue.entity.c_str(),
                                    nullptr));
    state_ = State::kOpen;
  } else {
    closed_why_ = status;
    state_ = State::kClosing;
  }
}

void Sender::Know(int32_t partition) {
  const auto index = static_cast<size_t>(partition);
  if (index >= known_.size()) known_.resize(index + 1);
  known_[index] = true;
  last_known_ = partition;
}

// Where the broker knows the producer, it takes no later record before this
// one, and the library concludes well. Of a producer that it does not know
// (KIP-360) it takes any: a record that was refused, while the partition had no
// leader, is then reported as accepted though only a later one was.
void Sender::AcceptedUnseen(uint64_t cookie, int32_t partition) {
  const auto index = static_cast<size_t>(partition);
  driver::Outcome& o = outcomes_.emplace_back();
  o.cookie = cookie;
  if (index < known_.size() && known_[index]) {
    o.fate = driver::Fate::kAccepted;
    return;
  }
  o.fate = driver::Fate::kUnknown;
  o.why = MakeStatus(absl::StatusCode::kUnavailable,
                     "queue {}, topic {}: the broker's answer to a record was "
                     "not seen, only one to a later record",
                     spec_.queue.name, spec_.queue.entity);
}

void Sender::Tell(driver::Outcome outcome) {
  outcomes_.push_back(std::move(outcome));
}

absl::Status Sender::Explain(rd_kafka_resp_err_t error) const {
  return StatusOf(
      error, "queue " + spec_.queue.name + ", topic " + spec_.queue.entity);
}

bool Sender::Run() {
  bool worked = false;
  if (state_ == State::kOpen && !announced_) {
    announced_ = true;
    Capabilities has = KafkaCapabilities();
    has.max_message_bytes = max_message_bytes_;
    sink_->OnOpened(has);
    sendable_ = sendable_ || refused_early_;
    worked = true;
  }
  if (!outcomes_.empty()) {
    // The sink may submit, which may add to outcomes_.
    telling_.swap(outcomes_);
    open_ -= telling_.size();
    sink_->OnOutcomes(telling_);
    telling_.clear();
    worked = true;
  }
  if (sendable_ && state_ == State::kOpen && !stopped_) {
    sendable_ = false;
    sink_->OnSendable();
    worked = true;
  }
  if (state_ == State::kClosing && open_ == 0 && outcomes_.empty()) {
    state_ = State::kClosed;
    topic_.reset();
    sink_->OnClosed(closed_why_);
    worked = true;
  }
  return worked;
}

}  // namespace kafka
}  // namespace tieline::inline v0
