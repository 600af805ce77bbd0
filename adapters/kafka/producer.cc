#include "adapters/kafka/producer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/kafka/errors.h"
#include "adapters/kafka/sender.h"
#include "lib/base/fetch.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// librdkafka takes void* for what it only reads.
void* Mutable(std::string_view view) {
  static const char kEmpty = 0;
  return const_cast<char*>(view.data() == nullptr ? &kEmpty : view.data());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Producer>> Producer::Make(Settings settings,
                                                         Limits limits) {
  TIELINE_ASSIGN_OR_RETURN(
      ClientRef client, Client::Make(RD_KAFKA_PRODUCER, settings,
                                     RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR));
  return std::unique_ptr<Producer>(
      new Producer(std::move(settings), limits, std::move(client)));
}

Producer::Producer(Settings settings, Limits limits, ClientRef client)
    : settings_(std::move(settings)),
      limits_(limits),
      client_(std::move(client)),
      queue_(rd_kafka_queue_get_main(client_->rk())),
      pool_(std::make_shared<Pool>()) {
  client_->KeepUntilFreed(pool_);
  plain_.reserve(kBatch);
  reports_.resize(1024);
}

Producer::~Producer() {
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  for (InFlight& record : pool_->slots) {
    if (record.used && record.message != nullptr) {
      record.held = *std::exchange(record.message, nullptr);
    }
    record.sender = nullptr;
  }
}

InFlight* Producer::Take(Sender* sender, const driver::Outbound& out,
                         size_t bytes) {
  InFlight* record = pool_->free;
  if (record != nullptr) {
    pool_->free = record->next_free;
  } else {
    record = &pool_->slots.emplace_back();
  }
  record->sender = sender;
  record->cookie = out.cookie;
  record->message = out.message;
  record->bytes = static_cast<uint32_t>(bytes);
  record->used = true;
  ++in_flight_;
  in_flight_bytes_ += bytes;
  return record;
}

void Producer::GiveBack(InFlight* record) {
  --in_flight_;
  in_flight_bytes_ -= record->bytes;
  record->used = false;
  record->sender = nullptr;
  record->message = nullptr;
  record->next_free = pool_->free;
  pool_->free = record;
}

size_t Producer::Submit(Sender* sender, rd_kafka_topic_t* topic,
                        std::span<const driver::Outbound> batch) {
  size_t taken = 0;
  for (const driver::Outbound& out : batch) {
    const std::string_view body = out.message->body_view();
    if (in_flight_ >= limits_.messages ||
        (in_flight_ > 0 && in_flight_bytes_ + body.size() > limits_.bytes)) {
      if (std::find(blocked_.begin(), blocked_.end(), sender) ==
          blocked_.end()) {
        blocked_.push_back(sender);
      }
      break;
    }
    InFlight* record = Take(sender, out, body.size());
    ++taken;
    const bool plain = RecordWriter::IsPlain(*out.message);
    if (!plain) {
      Flush(topic);
      Produce(topic, record);
      continue;
    }
    rd_kafka_message_t& m = plain_.emplace_back();
    if (out.message->body_kind() != BodyKind::kNull) {
      m.payload = Mutable(body);
      m.len = body.size();
    }
    if (out.message->has(Field::kKey)) {
      const std::string_view key = out.message->key();
      m.key = Mutable(key);
      m.key_len = key.size();
    }
    m._private = record;
    if (plain_.size() == kBatch) Flush(topic);
  }
  Flush(topic);
  return taken;
}

void Producer::Flush(rd_kafka_topic_t* topic) {
  if (plain_.empty()) return;
  const int count = static_cast<int>(plain_.size());
  if (rd_kafka_produce_batch(topic, RD_KAFKA_PARTITION_UA, 0, plain_.data(),
                             count) != count) {
    for (const rd_kafka_message_t& m : plain_) {
      if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      Refused(static_cast<InFlight*>(m._private), m.err);
    }
  }
  plain_.clear();
}

void Producer::Produce(rd_kafka_topic_t* topic, InFlight* record) {
  writer_.Write(*record->message);
  std::array<rd_kafka_vu_t, 8> v;
  size_t n = 0;
  v[n].vtype = RD_KAFKA_VTYPE_RKT;
  v[n++].u.rkt = topic;
  v[n].vtype = RD_KAFKA_VTYPE_PARTITION;
  v[n++].u.i32 = writer_.partition;
  v[n].vtype = RD_KAFKA_VTYPE_VALUE;
  v[n].u.mem.ptr = writer_.null_body ? nullptr : Mutable(writer_.body);
  v[n++].u.mem.size = writer_.null_body ? 0 : writer_.body.size();
  v[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  v[n++].u.i = writer_.body_is_temporary ? RD_KAFKA_MSG_F_COPY : 0;
  v[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
  v[n++].u.ptr = record;
  if (writer_.has_key) {
    v[n].vtype = RD_KAFKA_VTYPE_KEY;
    v[n].u.mem.ptr = Mutable(writer_.key);
    v[n++].u.mem.size = writer_.key.size();
  }
  if (writer_.timestamp_ms > 0) {
    v[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    v[n++].u.i64 = writer_.timestamp_ms;
  }
  if (writer_.headers != nullptr) {
    v[n].vtype = RD_KAFKA_VTYPE_HEADERS;
    v[n++].u.headers = writer_.headers;
  }
  const Owned<rd_kafka_error_t> error(
      rd_kafka_produceva(client_->rk(), v.data(), n));
  if (error == nullptr) return;
  // Headers are the library's only once it has taken the record.
  if (writer_.headers != nullptr) rd_kafka_headers_destroy(writer_.headers);
  Refused(record, rd_kafka_error_code(error.get()));
}

void Producer::Refused(InFlight* record, rd_kafka_resp_err_t error) {
  driver::Outcome outcome;
  outcome.cookie = record->cookie;
  outcome.fate = FateOf(error, RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
  outcome.why = record->sender->Explain(error);
  record->sender->Tell(std::move(outcome));
  GiveBack(record);
}

bool Producer::Poll(size_t max, absl::Time now) {
  size_t handled = 0;
  bool more = true;
  while (handled < max) {
    const Owned<rd_kafka_event_t> event(rd_kafka_queue_poll(queue_.get(), 0));
    if (event == nullptr) {
      more = false;
      break;
    }
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_DR:
        progress_ = now;
        handled += rd_kafka_event_message_count(event.get());
        OnReports(event.get());
        break;
      case RD_KAFKA_EVENT_ERROR:
        ++handled;
        OnError(event.get());
        break;
      default:
        ++handled;
    }
  }
  if (in_flight_ == 0) progress_ = now;
  if (!blocked_.empty() && in_flight_ <= limits_.messages / 2 &&
      in_flight_bytes_ <= limits_.bytes / 2) {
    std::vector<Sender*> blocked;
    blocked.swap(blocked_);
    for (Sender* sender : blocked) sender->Unblock();
  }
  return more;
}

absl::Duration Producer::Idle(absl::Time now) const {
  return in_flight_ == 0 ? absl::ZeroDuration() : now - progress_;
}

void Producer::OnReports(rd_kafka_event_t* event) {
  size_t count = 0;
  while ((count = rd_kafka_event_message_array(event, reports_.data(),
                                               reports_.size())) > 0) {
    // Both were last touched when the record was given away.
    constexpr size_t kAhead = 6;
    for (size_t i = 0; i < count; ++i) {
      if (i + 2 * kAhead < count) Fetch(reports_[i + 2 * kAhead], 1);
      if (i + kAhead < count) Fetch(reports_[i + kAhead]->_private, 1);
      OnReport(*reports_[i]);
    }
  }
}

void Producer::OnReport(const rd_kafka_message_t& report) {
  auto* record = static_cast<InFlight*>(report._private);
  if (record->sender == nullptr) {
    // The record's memory is let go here, where the library is done with it.
    record->held = Message();
    GiveBack(record);
    return;
  }
  Sender* sender = record->sender;
  const uint64_t cookie = record->cookie;
  GiveBack(record);
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    sender->Accepted(cookie, report.partition, report.offset);
    return;
  }
  driver::Outcome outcome;
  outcome.cookie = cookie;
  outcome.fate = FateOf(report.err, rd_kafka_message_status(&report));
  if (outcome.fate == driver::Fate::kAccepted) {
    outcome.position = report.offset;
  } else {
    outcome.why = sender->Explain(report.err);
  }
  sender->Tell(std::move(outcome));
}

void Producer::OnError(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> text{};
    const rd_kafka_resp_err_t why =
        rd_kafka_fatal_error(client_->rk(), text.data(), text.size());
    fatal_ = MakeStatus(CodeOf(why) == absl::StatusCode::kPermissionDenied
                            ? absl::StatusCode::kPermissionDenied
                            : absl::StatusCode::kUnavailable,
                        "the producer failed for good and is made anew: {}",
                        text.data());
    return;
  }
  error_ = error;
}

std::optional<rd_kafka_resp_err_t> Producer::TakeError() {
  return std::exchange(error_, std::nullopt);
}

void Producer::Purge() {
  rd_kafka_purge(client_->rk(), RD_KAFKA_PURGE_F_QUEUE |
                                    RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void Producer::Abandon(const absl::Status& why) {
  client_->SkipLeave();
  for (InFlight& record : pool_->slots) {
    if (!record.used || record.sender == nullptr) continue;
    record.held = *std::exchange(record.message, nullptr);
    driver::Outcome outcome;
    outcome.cookie = record.cookie;
    outcome.why = why;
    std::exchange(record.sender, nullptr)->Tell(std::move(outcome));
  }
}

void Producer::Forget(Sender* sender) {
  std::erase(blocked_, sender);
  for (InFlight& record : pool_->slots) {
    if (!record.used || record.sender != sender) continue;
    record.held = *std::exchange(record.message, nullptr);
    record.sender = nullptr;
  }
}

}  // namespace kafka
}  // namespace tieline::inline v0
