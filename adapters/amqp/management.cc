// ManagementTask: Artemis's management by messages. A request names a resource
// and an attribute or operation in its properties; the reply's body is a JSON
// array with the result.
#include <proton/link.h>
#include <proton/terminus.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/errors.h"
#include "adapters/amqp/tasks.h"
#include "adapters/amqp/wire/message_codec.h"
#include "lib/base/status.h"
#include "nlohmann/json.hpp"

namespace tieline::inline v0::amqp {
namespace {

using Op = driver::Request::Op;
using Json = nlohmann::json;

constexpr char kAddress[] = "activemq.management";

// "address::queue" names the queue behind the colons.
std::string QueueName(const std::string& entity) {
  size_t colons = entity.find("::");
  return colons == std::string::npos ? entity : entity.substr(colons + 2);
}

bool IsCount(Op op) {
  return op == Op::kDepth || op == Op::kUndrained || op == Op::kFixStart;
}

// The attributes that an operation asks for, one after the other. A queue's
// messageCount has what is scheduled in it; that is asked for before and after,
// since it may come due, or more be added, in between.
std::span<const char* const> Attributes(Op op) {
  static constexpr const char* kDepth[] = {"messageCount"};
  static constexpr const char* kReady[] = {"scheduledCount", "messageCount",
                                           "scheduledCount"};
  static constexpr const char* kNames[] = {"queueNames"};
  if (op == Op::kDepth) return kDepth;
  if (op == Op::kListEntities) return kNames;
  return IsCount(op) ? std::span<const char* const>(kReady)
                     : std::span<const char* const>();
}

// How many requests an operation takes.
size_t RequestsOf(Op op) { return std::max<size_t>(Attributes(op).size(), 1); }

// The request with this number, from 0.
Message MakeRequest(const driver::Request& request, size_t number,
                    const std::string& reply_to) {
  Message message;
  const std::string queue = QueueName(request.queue.entity);
  const std::string resource =
      IsCount(request.op) ? "queue." + queue : "broker";
  message.set_property("_AMQ_ResourceName", Value(resource));
  const auto attributes = Attributes(request.op);
  Json arguments = Json::array();
  if (number < attributes.size()) {
    message.set_property("_AMQ_Attribute", Value(attributes[number]));
  } else {
    message.set_property("_AMQ_OperationName", Value("destroyQueue"));
    arguments.push_back(queue);
  }
  message.set_value_body(Value(arguments.dump()));
  message.set_reply_to(reply_to);
  return message;
}

// What the counts that came, as Attributes asks for them, say.
int64_t CountOf(const std::vector<int64_t>& counts) {
  if (counts.size() == 1) return counts[0];
  return std::max<int64_t>(counts[1] - std::min(counts[0], counts[2]), 0);
}

}  // namespace

void ManagementTask::Start() {
  wire::LinkSpec spec;
  spec.name = connection_->NewLinkName("management-replies");
  spec.dynamic = true;
  receiver_ = connection_->engine()->Attach(spec, this);
}

void ManagementTask::OnAttached(wire::Link* link) {
  if (link == receiver_) {
    const char* address =
        pn_terminus_get_address(pn_link_remote_source(link->proton()));
    if (address == nullptr) return;  // refused: its detach follows
    reply_to_ = address;
    receiver_->AddCredit(static_cast<uint32_t>(RequestsOf(request_.op)));
    wire::LinkSpec spec;
    spec.sender = true;
    spec.name = connection_->NewLinkName("management");
    spec.address = kAddress;
    sender_ = connection_->engine()->Attach(spec, this);
  }
}

void ManagementTask::OnSendable(wire::Link* link) {
  if (link == sender_) SendNext();
}

// Once the one before was answered.
void ManagementTask::SendNext() {
  const bool all = sent_ >= RequestsOf(request_.op);
  if (all || sent_ > counts_.size() || !sender_->CanSend()) return;
  const Message message = MakeRequest(request_, sent_++, reply_to_);
  wire::Writer* out = sender_->Begin(0, false, 0);
  Bytes rest;
  wire::EncodeOptions options;
  absl::Status status = wire::EncodeMessage(message, options, out, &rest);
  if (status.ok()) {
    sender_->End(rest);
  } else {
    sender_->Cancel();
    Finish(std::move(status));
  }
}

void ManagementTask::OnOutcome(wire::Link*, uint64_t,
                               const wire::DeliveryState& state) {
  driver::Outcome outcome;
  ReadOutcome(kAddress, state, &outcome);
  if (outcome.fate != driver::Fate::kAccepted) Finish(std::move(outcome.why));
}

void ManagementTask::OnDelivery(wire::Link* link, wire::Delivery delivery) {
  wire::DeliveryState state;
  state.kind = wire::DeliveryState::Kind::kAccepted;
  if (!delivery.settled) link->Settle(delivery.id, state, true);
  absl::StatusOr<Message> message =
      wire::DecodeMessage(std::move(delivery.payload), nullptr);
  absl::Status status = message.ok() ? ReadReply(*message) : message.status();
  if (!status.ok()) {
    Finish(Annotate(status,
                    fmt::format("entity {} at {}: management",
                                request_.queue.entity, connection_->where())));
  }
}

absl::Status ManagementTask::ReadReply(const Message& message) {
  std::string_view text = message.body_view();
  const Value* succeeded = message.properties().Find("_AMQ_OperationSucceeded");
  if (succeeded != nullptr && !succeeded->AsBool().value_or(true)) {
    bool missing = text.find("Cannot find") != std::string_view::npos ||
                   text.find("AMQ229017") != std::string_view::npos;
    return MakeStatus(
        missing ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable,
        "the broker answered {}", text.substr(0, 200));
  }
  Json result = Json::parse(text, nullptr, false);
  driver::Reply reply;
  const Json* value =
      result.is_array() && !result.empty() ? &result[0] : nullptr;
  if (IsCount(request_.op)) {
    if (value == nullptr || !value->is_number_integer()) {
      return absl::NotFoundError("there is no such queue");
    }
    counts_.push_back(value->get<int64_t>());
    if (counts_.size() < RequestsOf(request_.op)) {
      if (sender_ != nullptr) SendNext();
      return absl::OkStatus();
    }
    reply.count = CountOf(counts_);
  } else if (request_.op == Op::kListEntities) {
    if (value == nullptr || !value->is_array()) {
      return absl::UnavailableError("the broker's answer has no names");
    }
    for (const Json& name : *value) {
      if (!name.is_string()) continue;
      driver::EntityInfo& one = reply.entities.emplace_back();
      one.name = name.get<std::string>();
      one.kind = "queue";
    }
  }
  Finish(std::move(reply));
  return absl::OkStatus();
}

void ManagementTask::OnDetached(wire::Link* link, const wire::Condition& why) {
  if (link == sender_) sender_ = nullptr;
  if (link == receiver_) receiver_ = nullptr;
  link->Release();
  Finish(ToStatus(
      fmt::format("{}: {} can't be used", connection_->where(), kAddress),
      why));
}

void ManagementTask::Stop() {
  for (wire::Link** link : {&sender_, &receiver_}) {
    if (*link != nullptr) (*link)->Release();
    *link = nullptr;
  }
}

}  // namespace tieline::inline v0::amqp
