#include "adapters/amqp/engine/session.h"

#include <proton/session.h>

#include <algorithm>
#include <string>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/engine/link.h"
#include "adapters/amqp/engine/settling.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr uint32_t kOutgoingWindow = INT32_MAX;
// A peer names its own handles: this bounds the table of them.
constexpr uint32_t kMaxHandle = 65535;

}  // namespace

Session::Session(Engine* engine, pn_session_t* session, bool own)
    : engine_(engine), session_(session), own_(own) {
  pn_session_set_context(session, this);
  const EngineOptions& options = engine->options();
  pn_session_set_incoming_capacity(
      session, size_t{options.incoming_window} * options.max_frame);
}

Session::~Session() {
  links_.clear();
  pn_session_set_context(session_, nullptr);
  pn_session_free(session_);
}

void Session::OnLocalBegin(uint16_t channel, const BeginFields& begin) {
  channel_ = channel;
  has_channel_ = true;
  initial_outgoing_id_ = begin.next_outgoing_id;
  next_outgoing_id_ = begin.next_outgoing_id;
  incoming_window_ = begin.incoming_window;
}

void Session::OnRemoteBegin(const BeginFields& begin) {
  begun_ = true;
  next_incoming_id_ = begin.next_outgoing_id;
  remote_window_ = begin.incoming_window;
}

bool Session::UnknownHandle(uint32_t handle) {
  return engine_->Fail(
      "amqp:session:unattached-handle",
      "no link is attached to handle " + std::to_string(handle));
}

bool Session::OnTransfer(const Transfer& transfer) {
  if (incoming_window_ == 0) {
    return engine_->Fail("amqp:session:window-violation",
                         "a transfer came beyond the incoming window");
  }
  --incoming_window_;
  ++next_incoming_id_;
  if (incoming_window_ <= engine_->options().incoming_window / 2) MarkDirty();
  Link* link = FindLink(transfer.handle);
  if (link == nullptr) return UnknownHandle(transfer.handle);
  if (link->is_sender()) {
    return engine_->Fail("amqp:not-allowed",
                         "a transfer came on a link that we send on");
  }
  return link->OnTransfer(transfer);
}

bool Session::OnFlow(const Flow& flow) {
  // Section 2.5.6.
  uint32_t base = flow.next_incoming_id.value_or(initial_outgoing_id_);
  int32_t window = static_cast<int32_t>(
      base + std::min<uint32_t>(flow.incoming_window, INT32_MAX) -
      next_outgoing_id_);
  bool opened = remote_window_ == 0 && window > 0;
  remote_window_ = window > 0 ? static_cast<uint32_t>(window) : 0;
  Link* link = nullptr;
  if (flow.handle.has_value()) {
    link = FindLink(*flow.handle);
    if (link == nullptr) return UnknownHandle(*flow.handle);
    if (!link->OnFlow(flow)) return false;
  } else if (flow.echo) {
    SendFlow(nullptr, false, false);
  }
  if (opened) WakeSenders();
  return true;
}

void Session::WakeSenders() {
  // Not by iterator: handlers may add links.
  for (size_t i = 0; i < links_.size() && remote_window_ > 0; ++i) {
    if (links_[i]->is_sender()) links_[i]->OnWindow();
  }
}

bool Session::OnDisposition(const Disposition& disposition) {
  return Settle(disposition.receiver ? &outgoing_ : &incoming_, disposition);
}

bool Session::Settle(DeliveryWindow* window, const Disposition& d) {
  uint32_t first = d.first;
  uint32_t last = d.last;
  if (static_cast<int32_t>(last - first) < 0) {
    return engine_->Fail("amqp:invalid-field",
                         "a disposition's last is before its first");
  }
  bool ours = window == &outgoing_;
  bool final = d.settled || (ours && d.state.is_outcome());
  if (!final || !window->Clamp(&first, &last)) return true;
  window->ForEach(first, last, [&](uint32_t id, DeliveryEntry entry) {
    window->Remove(id);
    LinkHandler* handler = entry.link->handler();
    if (!ours) {
      if (handler != nullptr) {
        handler->OnSettled(entry.link, id, entry.cookie, d.state);
      }
      return;
    }
    if (!d.settled) SettleOutgoing(id);
    if (handler != nullptr)
      handler->OnOutcome(entry.link, entry.cookie, d.state);
  });
  if (!to_settle_.empty()) MarkDirty();
  return true;
}

bool Session::Bind(uint32_t remote_handle, Link* link) {
  if (remote_handle > kMaxHandle) return false;
  if (remote_handle >= by_handle_.size()) by_handle_.resize(remote_handle + 1);
  if (by_handle_[remote_handle] != nullptr) return false;
  by_handle_[remote_handle] = link;
  return true;
}

void Session::Unbind(uint32_t remote_handle) {
  if (remote_handle < by_handle_.size()) by_handle_[remote_handle] = nullptr;
}

void Session::FillWindows(Flow* flow) {
  incoming_window_ = engine_->options().incoming_window;
  if (begun_) flow->next_incoming_id = next_incoming_id_;
  flow->incoming_window = incoming_window_;
  flow->next_outgoing_id = next_outgoing_id_;
  flow->outgoing_window = kOutgoingWindow;
}

void Session::SendFlow(const Link* link, bool drain, bool echo) {
  if (!has_channel_ || closing_) return;
  Flow flow;
  FillWindows(&flow);
  if (link != nullptr) {
    flow.handle = link->local_handle_;
    flow.delivery_count = link->delivery_count_;
    flow.link_credit = link->credit_;
    flow.drain = drain;
  }
  flow.echo = echo;
  AppendFrame(channel_, flow, engine_->output()->tail());
}

void Session::MarkDirty() {
  if (dirty_) return;
  dirty_ = true;
  engine_->AddDirty(this);
}

void Session::Flush() {
  dirty_ = false;
  if (closing_) return;
  if (!to_settle_.empty()) {
    Disposition settled;
    settled.settled = true;
    settled.state.kind = DeliveryState::Kind::kAccepted;
    AppendRanges(channel_, settled, &to_settle_, engine_->output()->tail());
  }
  if (incoming_window_ <= engine_->options().incoming_window / 2) {
    SendFlow(nullptr, false, false);
  }
}

}  // namespace tieline::inline v0::amqp::wire
