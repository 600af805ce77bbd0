// The half of Engine that speaks with Proton's engine.
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/amqp/engine/engine.h"
#include "adapters/amqp/wire/cursor.h"

namespace tieline::inline v0::amqp::wire {
namespace {

std::string Text(const char* text) { return text == nullptr ? "" : text; }

Condition Read(pn_condition_t* condition) {
  Condition out;
  if (condition == nullptr || !pn_condition_is_set(condition)) return out;
  out.name = Text(pn_condition_get_name(condition));
  out.description = Text(pn_condition_get_description(condition));
  if (pn_condition_is_redirect(condition)) {
    out.redirect = Text(pn_condition_redirect_host(condition)) + ":" +
                   std::to_string(pn_condition_redirect_port(condition));
  }
  return out;
}

void Write(const Condition& why, pn_condition_t* condition) {
  if (!why.is_set()) return;
  pn_condition_set_name(condition, why.name.c_str());
  pn_condition_set_description(condition, why.description.c_str());
}

void FillTerminus(const LinkSpec& spec, pn_terminus_t* node) {
  if (spec.dynamic) {
    pn_terminus_set_dynamic(node, true);
  } else {
    pn_terminus_set_address(node, spec.address.c_str());
  }
  if (spec.durable) {
    pn_terminus_set_durability(node, PN_DELIVERIES);
    pn_terminus_set_expiry_policy(node, PN_EXPIRE_NEVER);
  }
  if (spec.browse) {
    pn_terminus_set_distribution_mode(node, PN_DIST_MODE_COPY);
  }
  if (!spec.capabilities.empty()) {
    pn_data_t* data = pn_terminus_capabilities(node);
    pn_data_put_array(data, false, PN_SYMBOL);
    pn_data_enter(data);
    for (const std::string& name : spec.capabilities) {
      pn_data_put_symbol(data, pn_bytes(name.size(), name.data()));
    }
    pn_data_exit(data);
  }
}

template <typename T>
void Grow(std::vector<T*>* table, size_t index) {
  if (index >= table->size()) table->resize(index + 1);
}

}  // namespace

void Engine::Pull() {
  for (;;) {
    pn_bytes_t bytes = pn_connection_driver_write_buffer(&driver_);
    if (bytes.size == 0) break;
    proton_out_.append(bytes.start, bytes.size);
    pn_connection_driver_write_done(&driver_, bytes.size);
  }
  std::string_view left = proton_out_;
  while (left.size() >= kFrameHeaderSize) {
    size_t size = kFrameHeaderSize;
    bool header = left.substr(0, 4) == "AMQP";
    if (!header) size = Load32(left.data());
    if (left.size() < size) break;
    if (!header) OnProtonFrame(left.substr(0, size));
    output_.tail()->Append(left.substr(0, size));
    left.remove_prefix(size);
  }
  proton_out_.erase(0, proton_out_.size() - left.size());
}

void Engine::OnProtonFrame(std::string_view frame) {
  std::string_view body =
      frame.substr(size_t{4} * static_cast<uint8_t>(frame[4]));
  if (frame[5] != 0 || body.empty()) return;
  Cursor cursor(body);
  uint64_t code = cursor.Descriptor();
  std::string_view text = body.substr(body.size() - cursor.left());
  uint16_t channel = Load16(frame.data() + 6);
  BeginFields begin;
  AttachFields attach;
  if (code == kBegin && Decode(text, &begin)) {
    Session* session =
        begin.remote_channel.has_value()
            ? FindSession(static_cast<uint16_t>(*begin.remote_channel))
            : opening_session_;
    if (session != nullptr) session->OnLocalBegin(channel, begin);
  } else if (code == kAttach && opening_link_ != nullptr &&
             Decode(text, &attach)) {
    opening_link_->SetLocalHandle(attach.handle);
  }
}

void Engine::DrainEvents() {
  while (pn_event_t* event = pn_connection_driver_next_event(&driver_)) {
    OnEvent(event);
  }
}

void Engine::OnEvent(pn_event_t* event) {
  switch (pn_event_type(event)) {
    case PN_CONNECTION_REMOTE_OPEN:
      OnRemoteOpen();
      break;
    case PN_CONNECTION_REMOTE_CLOSE: {
      Condition why = Read(pn_connection_remote_condition(driver_.connection));
      pn_connection_close(driver_.connection);
      Pull();
      Lost(why);
      break;
    }
    case PN_SESSION_REMOTE_OPEN:
      OnSessionOpen(pn_event_session(event));
      break;
    case PN_SESSION_REMOTE_CLOSE:
      OnSessionEnd(pn_event_session(event));
      break;
    case PN_LINK_REMOTE_OPEN:
      OnLinkOpen(pn_event_link(event));
      break;
    case PN_LINK_REMOTE_CLOSE:
    case PN_LINK_REMOTE_DETACH:
      OnLinkDetach(pn_event_link(event));
      break;
    case PN_TRANSPORT_ERROR: {
      Condition why = Read(pn_transport_condition(driver_.transport));
      failed_ = true;
      Pull();
      Lost(why);
      break;
    }
    default:
      break;
  }
}

void Engine::OnRemoteOpen() {
  remote_max_frame_ = pn_transport_get_remote_max_frame(driver_.transport);
  if (remote_max_frame_ == 0) remote_max_frame_ = UINT32_MAX;  // no limit
  remote_max_frame_ =
      std::clamp(remote_max_frame_, kMinMaxFrame, uint32_t{1} << 20);
  opened_ = true;
  if (options_.server) {
    pn_connection_open(driver_.connection);
    Pull();
  }
  handler_->OnOpened();
}

Session* Engine::AddSession(pn_session_t* session, bool own) {
  sessions_.push_back(std::make_unique<Session>(this, session, own));
  return sessions_.back().get();
}

void Engine::OnSessionOpen(pn_session_t* pn_session) {
  auto* session = static_cast<Session*>(pn_session_get_context(pn_session));
  BeginFields begin;
  Cursor cursor(frame_.substr(size_t{4} * static_cast<uint8_t>(frame_[4])));
  cursor.Descriptor();
  if (!Decode({cursor.position(), cursor.left()}, &begin)) {
    Fail("amqp:decode-error", "a begin's fields are malformed");
    return;
  }
  bool accept = session == nullptr;
  if (accept) session = AddSession(pn_session, false);
  session->OnRemoteBegin(begin);
  uint16_t channel = Load16(frame_.data() + 6);
  Grow(&by_channel_, channel);
  by_channel_[channel] = session;
  std::erase(given_up_, channel);
  if (accept) {
    pn_session_open(pn_session);
    Pull();
  }
  if (session->ping_) {
    session->ping_ = false;
    EndSession(session);
    handler_->OnPong();
  }
}

void Engine::OnSessionEnd(pn_session_t* pn_session) {
  auto* session = static_cast<Session*>(pn_session_get_context(pn_session));
  if (session == nullptr) return;
  Condition why = Read(pn_session_remote_condition(pn_session));
  session->ended_ = true;
  std::replace(by_channel_.begin(), by_channel_.end(), session,
               static_cast<Session*>(nullptr));
  // Not by iterator: handlers may add links.
  for (size_t i = 0; i < session->links_.size(); ++i) {
    Link* link = session->links_[i].get();
    if (!link->remote_closed_) link->OnRemoteDetach(why);
  }
  if (session->closing_ && --ends_owed_ == 0) {
    ends_due_ = absl::InfiniteFuture();
  }
  EndSession(session);
  sweep_ = true;
  StartWaiting();
}

void Engine::EndSession(Session* session) {
  if (session->closing_) return;
  session->Flush();
  session->closing_ = true;
  if (!session->ended_) {
    ++ends_owed_;
    ends_due_ = absl::InfiniteFuture();  // counted from the next Tick
  }
  pn_session_close(session->session_);
  DrainEvents();
  Pull();
}

void Engine::GiveUpEnds() {
  ends_due_ = absl::InfiniteFuture();
  for (size_t channel = 0; channel < by_channel_.size(); ++channel) {
    const Session* session = by_channel_[channel];
    if (session == nullptr || !session->closing_) continue;
    const auto number = static_cast<uint16_t>(channel);
    given_up_.push_back(number);
    std::string end("\0\0\0\x0c\2\0\0\0\0\x53\x17\x45", 12);
    end[6] = static_cast<char>(number >> 8);
    end[7] = static_cast<char>(number & 0xff);
    ToProton(end);
  }
}

void Engine::OnLinkOpen(pn_link_t* pn_link) {
  AttachFields attach;
  Cursor cursor(frame_.substr(size_t{4} * static_cast<uint8_t>(frame_[4])));
  cursor.Descriptor();
  Session* session = FindSession(Load16(frame_.data() + 6));
  if (session == nullptr ||
      !Decode({cursor.position(), cursor.left()}, &attach)) {
    Fail("amqp:decode-error", "an attach's fields are malformed");
    return;
  }
  auto* link = static_cast<Link*>(pn_link_get_context(pn_link));
  bool theirs = link == nullptr;
  if (theirs) {
    if (++links_ > options_.max_links) {
      Fail("amqp:resource-limit-exceeded", "too many links are attached");
      return;
    }
    session->links_.push_back(
        std::make_unique<Link>(session, pn_link, nullptr));
    link = session->links_.back().get();
  }
  if (!session->Bind(attach.handle, link)) {
    Fail("amqp:session:handle-in-use", "a handle is in use or out of bounds");
    return;
  }
  link->OnAttached(attach.handle, attach.initial_delivery_count);
  if (theirs) handler_->OnAttach(link);
}

void Engine::OnLinkDetach(pn_link_t* pn_link) {
  auto* link = static_cast<Link*>(pn_link_get_context(pn_link));
  if (link == nullptr || link->remote_closed_) return;
  if (link->has_remote_handle_) link->session_->Unbind(link->remote_handle_);
  sweep_ = true;
  link->OnRemoteDetach(Read(pn_link_remote_condition(pn_link)));
}

Session* Engine::BeginSession() {
  Session* session = AddSession(pn_session(driver_.connection), true);
  session->waits_ = ends_owed_ > 0;
  if (session->waits_) {
    waiting_.push_back(session);
  } else {
    StartSession(session);
  }
  return session;
}

void Engine::StartSession(Session* session) {
  opening_session_ = session;
  pn_session_open(session->session_);
  DrainEvents();
  Pull();
  opening_session_ = nullptr;
}

void Engine::StartWaiting() {
  if (ends_owed_ > 0 || closed_) return;
  for (Session* session : std::exchange(waiting_, {})) {
    session->waits_ = false;
    StartSession(session);
    for (const std::unique_ptr<Link>& link : session->links_) {
      OpenLink(link.get());
      if (link->closing_) CloseLink(link.get(), {});
      link->MarkDirty();
    }
  }
}

void Engine::Ping() { BeginSession()->ping_ = true; }

Link* Engine::Attach(const LinkSpec& spec, LinkHandler* handler) {
  Session* session = BeginSession();
  pn_link_t* link = spec.sender
                        ? pn_sender(session->session_, spec.name.c_str())
                        : pn_receiver(session->session_, spec.name.c_str());
  pn_terminus_t* source = pn_link_source(link);
  pn_terminus_t* target = pn_link_target(link);
  FillTerminus(spec, spec.sender ? target : source);
  if (!spec.dynamic) {
    pn_terminus_set_address(spec.sender ? source : target,
                            spec.address.c_str());
  }
  pn_link_set_snd_settle_mode(link, PN_SND_UNSETTLED);
  pn_link_set_rcv_settle_mode(link,
                              spec.confirm ? PN_RCV_SECOND : PN_RCV_FIRST);
  if (spec.max_message_bytes > 0) {
    pn_link_set_max_message_size(link, spec.max_message_bytes);
  }
  session->links_.push_back(std::make_unique<Link>(session, link, handler));
  Link* made = session->links_.back().get();
  if (spec.max_message_bytes > 0) {
    made->set_max_message_bytes(spec.max_message_bytes);
  }
  made->set_overdraft(spec.overdraft);
  ++links_;
  OpenLink(made);
  return made;
}

void Engine::OpenLink(Link* link) {
  if (link->session_->waits_) return;
  opening_link_ = link;
  pn_link_open(link->link_);
  DrainEvents();
  Pull();
  opening_link_ = nullptr;
}

void Engine::CloseLink(Link* link, const Condition& why) {
  link->closing_ = true;
  sweep_ = true;
  if (closed_ || link->session_->waits_) return;
  Write(why, pn_link_condition(link->link_));
  pn_link_close(link->link_);
  DrainEvents();
  Pull();
}

std::string Engine::remote_container() const {
  return Text(pn_connection_remote_container(driver_.connection));
}

std::string Engine::remote_property(std::string_view name) const {
  pn_data_t* data = pn_connection_remote_properties(driver_.connection);
  if (data == nullptr) return "";
  pn_data_rewind(data);
  std::string found;
  if (!pn_data_next(data) || pn_data_type(data) != PN_MAP) return found;
  size_t items = pn_data_get_map(data);
  pn_data_enter(data);
  for (size_t i = 0; i + 1 < items && found.empty(); i += 2) {
    if (!pn_data_next(data)) break;
    pn_bytes_t key = pn_data_type(data) == PN_SYMBOL ? pn_data_get_symbol(data)
                                                     : pn_bytes(0, nullptr);
    bool match = key.size > 0 && std::string_view(key.start, key.size) == name;
    if (!pn_data_next(data)) break;
    if (match && pn_data_type(data) == PN_STRING) {
      pn_bytes_t value = pn_data_get_string(data);
      found.assign(value.start, value.size);
    }
  }
  pn_data_exit(data);
  return found;
}

}  // namespace tieline::inline v0::amqp::wire
