#include "adapters/amqp/sender.h"

#include <proton/link.h>
#include <proton/terminus.h>

#include <utility>

#include "adapters/amqp/errors.h"
#include "adapters/amqp/product.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {

AmqpSender::AmqpSender(AmqpConnection* connection,
                       const driver::SenderSpec& spec, driver::SenderSink* sink)
    : connection_(connection), spec_(spec), sink_(sink) {
  connection_->Add(this);
}

AmqpSender::~AmqpSender() {
  if (link_ != nullptr) link_->Release();
  connection_->Remove(this);
}

std::string AmqpSender::Where() const {
  return fmt::format("queue {} (entity {} at {})", spec_.queue.name,
                     spec_.queue.entity, connection_->where());
}

std::string AmqpSender::At() const {
  return fmt::format("entity {} at {}", spec_.queue.entity,
                     connection_->where());
}

void AmqpSender::MarkReady() {
  if (std::exchange(ready_, true)) return;
  connection_->MarkReady(this);
  connection_->Touch();
}

void AmqpSender::OnUp() {
  if (state_ != State::kPending) return;
  wire::LinkSpec link;
  link.sender = true;
  link.name = connection_->NewLinkName(spec_.queue.entity);
  SetAddress(connection_->product(), spec_.queue, &link);
  encode_.for_rabbitmq = connection_->product() == Product::kRabbitMq;
  state_ = State::kAttaching;
  link_ = connection_->engine()->Attach(link, this);
}

void AmqpSender::OnAttached(wire::Link* link) {
  // A refused link comes without a target, and its detach follows.
  if (pn_terminus_get_type(pn_link_remote_target(link->proton())) ==
      PN_UNSPECIFIED) {
    return;
  }
  state_ = State::kOpen;
  max_message_bytes_ = link->remote_max_message_size();
  tell_opened_ = true;
  MarkReady();
}

void AmqpSender::OnDetached(wire::Link* link, const wire::Condition& why) {
  absl::Status status =
      closing_ && !why.is_set()
          ? absl::OkStatus()
          : ToStatus(At() + (state_ == State::kOpen
                                 ? ": the broker closed the sender"
                                 : ": can't be sent to"),
                     why);
  AnswerUnsettled(status.ok() ? absl::UnavailableError(
                                    Where() + ": the sender was closed before "
                                              "the broker had answered")
                              : Annotate(status, "queue " + spec_.queue.name));
  link->Release();
  link_ = nullptr;
  state_ = State::kClosed;
  closed_why_ = std::move(status);
  tell_closed_ = true;
  MarkReady();
}

void AmqpSender::OnSendable(wire::Link*) {
  if (!blocked_) return;
  tell_sendable_ = true;
  MarkReady();
}

void AmqpSender::OnOutcome(wire::Link*, uint64_t cookie,
                           const wire::DeliveryState& state) {
  --unsettled_;
  connection_->gathering()->OnOutcome();
  driver::Outcome& outcome = outcomes_.emplace_back();
  outcome.cookie = cookie;
  if (state.kind == wire::DeliveryState::Kind::kAccepted) {
    outcome.fate = driver::Fate::kAccepted;
  } else {
    ReadOutcome(Where(), state, &outcome);
  }
  MarkReady();
}

size_t AmqpSender::Submit(std::span<const driver::Outbound> batch,
                          bool atomic) {
  if (atomic) return 0;
  if (state_ != State::kOpen || closing_) {
    blocked_ = true;
    return 0;
  }
  size_t taken = 0;
  while (taken < batch.size()) {
    if (!link_->CanSend() || !connection_->HasRoom()) {
      blocked_ = true;
      if (link_->CanSend()) connection_->Block(this);
      break;
    }
    SubmitOne(batch[taken++]);
  }
  if (taken > 0) connection_->Touch();
  return taken;
}

void AmqpSender::SubmitOne(const driver::Outbound& one) {
  wire::Writer* writer = link_->Begin(one.cookie, false, 0);
  Bytes rest;
  absl::Status encoded =
      wire::EncodeMessage(*one.message, encode_, writer, &rest);
  if (!encoded.ok()) {
    link_->Cancel();
    Refuse(one.cookie, Annotate(encoded, Where()));
    return;
  }
  uint64_t size = link_->begun_size() + rest.size();
  if (max_message_bytes_ > 0 && size > max_message_bytes_) {
    link_->Cancel();
    Refuse(one.cookie,
           InvalidArgument("{}: a message of {} bytes is larger than the "
                           "broker takes, {} bytes: send it in parts, or "
                           "raise the broker's limit",
                           Where(), size, max_message_bytes_));
    return;
  }
  link_->End(rest);
  ++unsettled_;
}

void AmqpSender::Refuse(uint64_t cookie, absl::Status why) {
  driver::Outcome& outcome = outcomes_.emplace_back();
  outcome.cookie = cookie;
  outcome.fate = driver::Fate::kRejected;
  outcome.why = std::move(why);
  MarkReady();
}

void AmqpSender::AnswerUnsettled(const absl::Status& why) {
  if (link_ == nullptr) return;
  for (const wire::Link::Unsettled& one : link_->TakeUnsettled()) {
    driver::Outcome& outcome = outcomes_.emplace_back();
    outcome.cookie = one.cookie;
    outcome.fate =
        one.may_have_left ? driver::Fate::kUnknown : driver::Fate::kNotTaken;
    outcome.why = why;
  }
  unsettled_ = 0;
}

void AmqpSender::Deliver() {
  ready_ = false;
  if (std::exchange(tell_opened_, false)) {
    Capabilities can = connection_->capabilities();
    can.max_message_bytes = max_message_bytes_;
    sink_->OnOpened(can);
    tell_sendable_ = tell_sendable_ || blocked_;
  }
  if (!outcomes_.empty()) {
    std::vector<driver::Outcome> outcomes = std::move(outcomes_);
    outcomes_.clear();
    sink_->OnOutcomes(outcomes);
    if (outcomes_.empty()) {
      outcomes.clear();
      outcomes_ = std::move(outcomes);  // keeps the memory
    }
  }
  if (std::exchange(tell_closed_, false)) {
    sink_->OnClosed(closed_why_);
    return;
  }
  if (closing_ && unsettled_ == 0 && state_ == State::kOpen) link_->Detach();
  bool sendable = std::exchange(tell_sendable_, false) ||
                  (blocked_ && state_ == State::kOpen && link_->CanSend() &&
                   connection_->HasRoom());
  if (sendable && blocked_ && state_ == State::kOpen && !closing_) {
    blocked_ = false;
    sink_->OnSendable();
  }
}

void AmqpSender::OnLost(const absl::Status& why) {
  AnswerUnsettled(why);
  link_ = nullptr;  // gone with the engine
  state_ = State::kClosed;
  if (!outcomes_.empty()) {
    sink_->OnOutcomes(std::exchange(outcomes_, {}));
  }
}

void AmqpSender::Close() {
  if (closing_ || state_ == State::kClosed) return;
  closing_ = true;
  if (state_ == State::kPending) {
    state_ = State::kClosed;
    tell_closed_ = true;
  }
  // While attaching: once the broker has answered that.
  MarkReady();
}

}  // namespace tieline::inline v0::amqp
