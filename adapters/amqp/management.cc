// ManagementTask: Artemis's management by messages. A request names a resource
// and an attribute or operation in its properties; the reply's body is a JSON
// array with the result.
#include <proton/link.h>
#include <proton/terminus.h>

#include <utility>

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

Message MakeRequest(const driver::Request& request,
                    const std::string& reply_to) {
  Message message;
  std::string queue = QueueName(request.queue.entity);
  if (request.op == Op::kDepth) {
    message.set_property("_AMQ_ResourceName", Value("queue." + queue));
    message.set_property("_AMQ_Attribute", Value("messageCount"));
  } else if (request.op == Op::kListEntities) {
    message.set_property("_AMQ_ResourceName", Value("broker"));
    message.set_property("_AMQ_Attribute", Value("queueNames"));
  } else {
    message.set_property("_AMQ_ResourceName", Value("broker"));
    message.set_property("_AMQ_OperationName", Value("destroyQueue"));
  }
  Json arguments = Json::array();
  if (request.op == Op::kDeleteEntity) arguments.push_back(queue);
  message.set_value_body(Value(arguments.dump()));
  message.set_reply_to(reply_to);
  return message;
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
    receiver_->AddCredit(1);
    wire::LinkSpec spec;
    spec.sender = true;
    spec.name = connection_->NewLinkName("management");
    spec.address = kAddress;
    sender_ = connection_->engine()->Attach(spec, this);
  }
}

void ManagementTask::OnSendable(wire::Link* link) {
  if (sent_ || link != sender_ || !link->CanSend()) return;
  sent_ = true;
  wire::Writer* out = link->Begin(0, false, 0);
  Bytes rest;
  wire::EncodeOptions options;
  absl::Status status = wire::EncodeMessage(MakeRequest(request_, reply_to_),
                                            options, out, &rest);
  if (status.ok()) {
    link->End(rest);
  } else {
    link->Cancel();
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
  if (request_.op == Op::kDepth) {
    if (value == nullptr || !value->is_number_integer()) {
      return absl::NotFoundError("there is no such queue");
    }
    reply.count = value->get<int64_t>();
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
