#include "adapters/amqp/tasks.h"

#include <proton/link.h>
#include <proton/terminus.h>

#include <algorithm>
#include <utility>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/errors.h"
#include "adapters/amqp/product.h"
#include "adapters/amqp/wire/message_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

void GiveBack(wire::Link** link) {
  if (*link != nullptr) (*link)->Release();
  *link = nullptr;
}

bool Refused(wire::Link* link) {
  pn_link_t* proton = link->proton();
  pn_terminus_t* node = link->is_sender() ? pn_link_remote_target(proton)
                                          : pn_link_remote_source(proton);
  return pn_terminus_get_type(node) == PN_UNSPECIFIED;
}

std::string Where(const AmqpConnection& connection,
                  const driver::Request& request) {
  return fmt::format("entity {} at {}", request.queue.entity,
                     connection.where());
}

}  // namespace

void PingTask::Start() { connection_->engine()->Ping(); }

void CreateTask::Start() {
  wire::LinkSpec spec;
  spec.sender = true;
  spec.name = connection_->NewLinkName(request_.queue.entity);
  SetAddress(connection_->product(), request_.queue, &spec);
  link_ = connection_->engine()->Attach(spec, this);
}

void CreateTask::OnAttached(wire::Link* link) {
  if (!Refused(link)) Finish(absl::OkStatus());
}

void CreateTask::OnDetached(wire::Link*, const wire::Condition& why) {
  GiveBack(&link_);
  Finish(ToStatus(Where(*connection_, request_) + ": can't be created", why));
}

void CreateTask::Stop() { GiveBack(&link_); }

void PeekTask::Start() {
  wire::LinkSpec spec;
  spec.name = connection_->NewLinkName(request_.queue.entity);
  SetAddress(connection_->product(), request_.queue, &spec);
  spec.browse = true;
  spec.max_message_bytes = connection_->settings().max_message_bytes;
  link_ = connection_->engine()->Attach(spec, this);
}

void PeekTask::OnAttached(wire::Link* link) {
  if (Refused(link)) return;
  int64_t skipped = std::max<int64_t>(request_.from, 0);
  link->AddCredit(static_cast<uint32_t>(
      std::min<int64_t>(skipped + request_.max, INT32_MAX)));
  link->Flush();
  link->Drain();
}

void PeekTask::OnDelivery(wire::Link* link, wire::Delivery delivery) {
  wire::DeliveryState state;
  state.kind = wire::DeliveryState::Kind::kAccepted;
  if (!delivery.settled) link->Settle(delivery.id, state, true);
  int64_t position = seen_++;
  if (position < request_.from) return;
  absl::StatusOr<Message> message =
      wire::DecodeMessage(std::move(delivery.payload), nullptr);
  if (!message.ok()) return;  // nobody could receive it either
  driver::Inbound& one = result_.inbound.emplace_back();
  one.message = *std::move(message);
  one.position = position;  // in the queue, as it is now
}

void PeekTask::OnDrained(wire::Link*) { Finish(std::move(result_)); }

void PeekTask::OnDetached(wire::Link*, const wire::Condition& why) {
  GiveBack(&link_);
  Finish(ToStatus(Where(*connection_, request_) + ": can't be peeked", why));
}

void PeekTask::Stop() { GiveBack(&link_); }

}  // namespace tieline::inline v0::amqp
