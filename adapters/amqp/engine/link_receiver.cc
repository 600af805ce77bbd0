// The receiving half of Link.
#include <algorithm>
#include <string>
#include <utility>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/engine/link.h"

namespace tieline::inline v0::amqp::wire {

bool Link::BeginIncoming(const Transfer& transfer) {
  Engine* engine = session_->engine();
  if (!transfer.delivery_id.has_value()) {
    return engine->Fail("amqp:invalid-field",
                        "a delivery's first transfer has no delivery-id");
  }
  DeliveryWindow* window = session_->incoming();
  if (!session_->incoming_started_) {
    session_->incoming_started_ = true;
    window->Start(*transfer.delivery_id);
  }
  if (*transfer.delivery_id != window->next()) {
    return engine->Fail("amqp:invalid-field",
                        "delivery-id " + std::to_string(*transfer.delivery_id) +
                            " came, " + std::to_string(window->next()) +
                            " was due");
  }
  if (transfer.tag.size() > sizeof(current_.tag)) {
    return engine->Fail("amqp:invalid-field",
                        "a delivery-tag is longer than 32 bytes");
  }
  current_.id = *transfer.delivery_id;
  current_.message_format = transfer.message_format;
  current_.settled = false;
  current_.tag_size = static_cast<uint8_t>(transfer.tag.size());
  std::copy(transfer.tag.begin(), transfer.tag.end(), current_.tag);
  window->Add(this, 0, 0);
  ++delivery_count_;
  if (credit_ > 0) {
    --credit_;
    return true;
  }
  if (overdraft_left_ > 0) {
    --overdraft_left_;
    return true;
  }
  Fail("amqp:link:transfer-limit-exceeded", "a delivery came without credit");
  return true;
}

bool Link::OnTransfer(const Transfer& transfer) {
  if (closing_) {
    // Frames that were on their way when we detached; ids go on.
    if (!receiving_ && transfer.delivery_id == session_->incoming()->next()) {
      session_->incoming()->Skip();
    }
    receiving_ = transfer.more && !transfer.aborted;
    return true;
  }
  if (!receiving_) {
    if (!BeginIncoming(transfer)) return false;
  } else if (transfer.delivery_id.has_value() &&
             *transfer.delivery_id != current_.id) {
    return session_->engine()->Fail(
        "amqp:invalid-field", "a delivery began before the last one ended");
  }
  if (closing_) {
    receiving_ = transfer.more && !transfer.aborted;
    return true;
  }
  if (transfer.settled.value_or(false)) current_.settled = true;
  if (transfer.aborted) {
    if (session_->incoming()->Find(current_.id) != nullptr) {
      session_->incoming()->Remove(current_.id);
    }
    receiving_ = false;
    assembly_.clear();
    AddCredit(1);
    return true;
  }
  if (assembly_.size() + transfer.payload.size() > max_message_bytes_) {
    receiving_ = transfer.more;
    assembly_ = std::string();
    Fail("amqp:link:message-size-exceeded",
         "a message is larger than " + std::to_string(max_message_bytes_) +
             " bytes");
    return true;
  }
  if (transfer.more || receiving_) {
    receiving_ = true;
    assembly_.append(transfer.payload);
  }
  if (!transfer.more) EndIncoming(transfer);
  return true;
}

void Link::EndIncoming(const Transfer& transfer) {
  Delivery delivery;
  delivery.id = current_.id;
  delivery.tag = current_.tag_view();
  delivery.message_format = current_.message_format;
  delivery.settled = current_.settled;
  if (receiving_) {
    delivery.payload = Bytes::Take(std::exchange(assembly_, std::string()));
    receiving_ = false;
  } else {
    delivery.payload = session_->engine()->Slice(transfer.payload);
  }
  if (current_.settled && session_->incoming()->Find(current_.id) != nullptr) {
    session_->incoming()->Remove(current_.id);
  }
  if (draining_ && credit_ == 0) MarkDirty();
  if (handler_ != nullptr) handler_->OnDelivery(this, std::move(delivery));
}

void Link::AddCredit(uint32_t messages) {
  more_credit_ = messages > UINT32_MAX - more_credit_ ? UINT32_MAX
                                                      : more_credit_ + messages;
  MarkDirty();
}

void Link::Drain() {
  draining_ = true;
  flow_due_ = true;
  more_credit_ = 0;
  MarkDirty();
}

void Link::FlushCredit() {
  if (!attached()) return;
  if (draining_ && credit_ == 0) {
    draining_ = false;
    flow_due_ = false;
    if (handler_ != nullptr) handler_->OnDrained(this);
    return;
  }
  bool drain = draining_ && flow_due_;
  // Topped up in steps of a quarter: the peer need never wait for more.
  bool top_up = !draining_ && more_credit_ > 0 && credit_ / 3 <= more_credit_;
  if (!top_up && !flow_due_) return;
  if (!draining_) {
    credit_ += std::min(more_credit_, UINT32_MAX - credit_);
    more_credit_ = 0;
    if (overdraft_) overdraft_left_ = credit_;
  }
  flow_due_ = false;
  session_->SendFlow(this, drain, false);
}

bool Link::Settle(uint32_t id, const DeliveryState& state, bool settled,
                  uint64_t cookie) {
  using Kind = DeliveryState::Kind;
  DeliveryEntry* entry = session_->incoming()->Find(id);
  if (entry == nullptr || entry->link != this || closing_) return false;
  if (entry->cookie != 0) return false;  // settled before
  entry->cookie = cookie;
  if (settled) session_->incoming()->Remove(id);
  MarkDirty();
  if (state.kind == Kind::kAccepted || state.kind == Kind::kReleased) {
    settling_.Add(state.kind, settled, id);
  } else {
    Disposition one;
    one.receiver = true;
    one.first = one.last = id;
    one.settled = settled;
    one.state = state;
    AppendFrame(session_->channel(), one, session_->engine()->output()->tail());
  }
  return true;
}

}  // namespace tieline::inline v0::amqp::wire
