#include "adapters/amqp/engine/link.h"

#include <proton/link.h>
#include <proton/terminus.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/amqp/engine/engine.h"

namespace tieline::inline v0::amqp::wire {

Link::Link(Session* session, pn_link_t* link, LinkHandler* handler)
    : session_(session),
      link_(link),
      handler_(handler),
      is_sender_(pn_link_is_sender(link)) {
  pn_link_set_context(link, this);
}

Link::~Link() {
  pn_link_set_context(link_, nullptr);
  pn_link_free(link_);
}

uint64_t Link::remote_max_message_size() const {
  return pn_link_remote_max_message_size(link_);
}

void Link::Accept() {
  pn_terminus_copy(pn_link_source(link_), pn_link_remote_source(link_));
  pn_terminus_copy(pn_link_target(link_), pn_link_remote_target(link_));
  pn_link_set_snd_settle_mode(link_, pn_link_remote_snd_settle_mode(link_));
  pn_link_set_rcv_settle_mode(link_, pn_link_remote_rcv_settle_mode(link_));
  session_->engine()->OpenLink(this);
  attached_ = true;
}

void Link::Refuse(const Condition& why) {
  // Attach with an empty terminus, then detach (section 2.6.3).
  session_->engine()->OpenLink(this);
  Release(why);
}

void Link::Release(const Condition& why) {
  handler_ = nullptr;
  Detach(why);
}

void Link::Detach(const Condition& why) {
  if (closing_) {
    session_->engine()->SweepSoon();
    return;
  }
  Flush();
  if (is_sender_ && sending_ && current_.begun && session_->CanTransfer()) {
    Transfer abort = Head();
    abort.aborted = true;
    Writer* out = session_->engine()->output()->tail();
    BeginTransferFrame(session_->channel(), abort, out);
    session_->TakeTransfer();
  }
  sending_ = false;
  session_->engine()->CloseLink(this, why);
}

void Link::Fail(const char* name, std::string_view description) {
  LinkHandler* handler = std::exchange(handler_, nullptr);
  Condition why{name, std::string(description), ""};
  Release(why);
  if (handler != nullptr) handler->OnDetached(this, why);
}

std::vector<Link::Unsettled> Link::TakeUnsettled() {
  std::vector<Unsettled> list;
  uint64_t written = session_->engine()->output()->written();
  auto add = [&](uint32_t id, const DeliveryEntry& entry) {
    list.push_back({entry.cookie, id, entry.position < written});
  };
  if (is_sender_) {
    session_->outgoing()->RemoveAll(this, add);
  } else {
    session_->incoming()->RemoveAll(this, add);
  }
  return list;
}

void Link::OnAttached(uint32_t remote_handle, uint32_t initial_delivery_count) {
  remote_handle_ = remote_handle;
  has_remote_handle_ = true;
  if (!is_sender_) delivery_count_ = initial_delivery_count;
  attached_ = has_local_handle_;
  // Credit that was given before the peer had answered.
  if (!is_sender_ && more_credit_ > 0) MarkDirty();
  if (attached_ && handler_ != nullptr) handler_->OnAttached(this);
}

void Link::OnRemoteDetach(const Condition& why) {
  remote_closed_ = true;
  if (handler_ != nullptr) {
    handler_->OnDetached(this, why);
  } else {
    Release();
  }
}

void Link::SetLocalHandle(uint32_t handle) {
  local_handle_ = handle;
  has_local_handle_ = true;
  if (!is_sender_ && more_credit_ > 0) MarkDirty();
}

void Link::MarkDirty() {
  if (dirty_) return;
  dirty_ = true;
  session_->engine()->AddDirty(this);
}

bool Link::OnFlow(const Flow& flow) {
  if (!attached()) return true;
  if (!is_sender_) {
    if (flow.delivery_count.has_value()) {
      int32_t advance =
          static_cast<int32_t>(*flow.delivery_count - delivery_count_);
      if (advance > 0) {
        delivery_count_ = *flow.delivery_count;
        credit_ -= std::min(credit_, static_cast<uint32_t>(advance));
      }
    }
    if (flow.echo) flow_due_ = true;
    if (flow.echo || draining_) MarkDirty();
    return true;
  }
  if (!flow.link_credit.has_value()) return true;
  // Section 2.6.7. Without a delivery-count the receiver has seen no attach.
  uint32_t limit = flow.delivery_count.value_or(0) + *flow.link_credit;
  int32_t credit = static_cast<int32_t>(limit - delivery_count_);
  credit_ = credit > 0 ? static_cast<uint32_t>(credit) : 0;
  drain_asked_ = flow.drain;
  if (credit_ > 0 && handler_ != nullptr && !sending_) {
    handler_->OnSendable(this);
  }
  if (drain_asked_ && !sending_) AnswerDrain();
  if (flow.echo && attached()) session_->SendFlow(this, false, false);
  return true;
}

void Link::OnWindow() {
  if (!attached()) return;
  if (sending_) SendChunks();
  if (sending_) return;
  if (credit_ > 0 && handler_ != nullptr) handler_->OnSendable(this);
  if (drain_asked_ && !sending_) AnswerDrain();
}

void Link::Flush(absl::Time now) {
  dirty_ = false;
  if (is_sender_ || closing_ || !has_local_handle_) return;
  if (settling_.Waits(now)) {
    dirty_ = true;
    session_->engine()->FlushAgain(this, settling_.due());
  } else {
    settling_.Write(session_->channel(), session_->engine()->output()->tail());
  }
  FlushCredit();
}

}  // namespace tieline::inline v0::amqp::wire
