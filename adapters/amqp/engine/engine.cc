#include "adapters/amqp/engine/engine.h"

#include <proton/connection.h>
#include <proton/logger.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/amqp/wire/cursor.h"

namespace tieline::inline v0::amqp::wire {
namespace {

// How long the peer may take to confirm the end of a session, before its
// channel is used again all the same.
constexpr absl::Duration kEndPatience = absl::Milliseconds(250);

pn_connection_t* NewConnection(const EngineOptions& options) {
  pn_connection_t* connection = pn_connection();
  pn_connection_set_container(connection, options.container_id.c_str());
  if (!options.hostname.empty()) {
    pn_connection_set_hostname(connection, options.hostname.c_str());
  }
  if (!options.user.empty()) {
    pn_connection_set_user(connection, options.user.c_str());
    std::string password(options.password.Reveal());
    pn_connection_set_password(connection, password.c_str());
    std::fill(password.begin(), password.end(), '\0');
  }
  return connection;
}

pn_transport_t* NewTransport(const EngineOptions& options) {
  pn_transport_t* transport = pn_transport();
  // What is wrong is told by OnClosed; a library does not log.
  pn_logger_set_log_sink(
      pn_transport_logger(transport),
      [](intptr_t, pn_log_subsystem_t, pn_log_level_t, const char*) {}, 0);
  if (options.server) {
    pn_transport_set_server(transport);
    pn_transport_require_auth(transport, false);
  }
  pn_transport_set_max_frame(transport, options.max_frame);
  pn_transport_set_channel_max(transport, options.channel_max);
  pn_transport_set_idle_timeout(
      transport,
      static_cast<pn_millis_t>(std::clamp<int64_t>(
          absl::ToInt64Milliseconds(options.idle_timeout), 0, INT32_MAX)));
  return transport;
}

}  // namespace

Engine::Engine(EngineOptions options, EngineHandler* handler)
    : options_(std::move(options)),
      handler_(handler),
      input_(options_.max_frame) {
  pn_connection_driver_init(&driver_, NewConnection(options_),
                            NewTransport(options_));
  if (!options_.sasl_mechanisms.empty()) {
    // Whether a password may go in the clear is decided by the caller, who
    // knows what is below.
    pn_sasl_t* sasl = pn_sasl(driver_.transport);
    pn_sasl_allowed_mechs(sasl, options_.sasl_mechanisms.c_str());
    pn_sasl_set_allow_insecure_mechs(sasl, true);
  }
  if (!options_.server) pn_connection_open(driver_.connection);
  DrainEvents();
  Pull();
}

Engine::~Engine() {
  sessions_.clear();
  pn_connection_driver_destroy(&driver_);
}

void Engine::Consume(size_t n) {
  input_.Add(n);
  heard_ = true;
  std::string_view bytes;
  while (!failed_ && !closed_) {
    switch (input_.Next(&bytes)) {
      case Input::Result::kIncomplete:
        return;
      case Input::Result::kHeader:
        ToProton(bytes);
        break;
      case Input::Result::kFrame:
        OnFrame(bytes);
        break;
      case Input::Result::kMalformed:
        Fail("amqp:connection:framing-error",
             "a frame's size is out of bounds");
        return;
    }
  }
}

void Engine::OnFrame(std::string_view frame) {
  constexpr char kAmqpFrame = 0;
  std::string_view body =
      frame.substr(size_t{4} * static_cast<uint8_t>(frame[4]));
  if (frame[5] == kAmqpFrame) {
    if (body.empty()) return;  // a heartbeat
    Cursor cursor(body);
    uint64_t code = cursor.Descriptor();
    uint16_t channel = Load16(frame.data() + 6);
    std::string_view text = body.substr(body.size() - cursor.left());
    if (!cursor.ok()) {
      Fail("amqp:decode-error", "a frame does not begin with a performative");
      return;
    }
    if (code == kTransfer || code == kFlow || code == kDisposition) {
      OnHotFrame(code, channel, text);
      return;
    }
    if (!CheckRareFrame(code, channel, text)) return;
  }
  frame_ = frame;
  ToProton(frame);
  frame_ = {};
}

bool Engine::CheckRareFrame(uint64_t code, uint16_t channel,
                            std::string_view text) {
  if ((code == kOpen) == opened_) {
    return Fail("amqp:not-allowed",
                opened_ ? "a second open came" : "a frame came before open");
  }
  if (code == kBegin) return CheckBegin(channel, text);
  if (code != kAttach && code != kDetach && code != kEnd) return true;
  Session* session = FindSession(channel);
  if (session == nullptr) {
    if (code == kEnd && std::erase(given_up_, channel) > 0) return false;
    return Fail("amqp:not-allowed",
                "no session on channel " + std::to_string(channel));
  }
  if (code == kAttach) return CheckAttach(*session, text);
  if (code == kEnd) return true;
  Cursor cursor(text);
  ListReader in(&cursor);
  uint32_t handle = in.Has() ? in.UInt(0) : UINT32_MAX;
  if (in.ok() && session->FindLink(handle) != nullptr) return true;
  return Fail("amqp:session:unattached-handle",
              "a detach came for a handle that is not attached");
}

bool Engine::CheckBegin(uint16_t channel, std::string_view text) {
  BeginFields begin;
  if (!Decode(text, &begin)) {
    return Fail("amqp:decode-error", "a begin's fields are malformed");
  }
  if (FindSession(channel) != nullptr) {
    return Fail("amqp:not-allowed",
                "a second begin came on channel " + std::to_string(channel));
  }
  if (!begin.remote_channel.has_value()) return true;
  for (const std::unique_ptr<Session>& one : sessions_) {
    if (one->has_channel_ && one->channel_ == *begin.remote_channel &&
        !one->begun_) {
      return true;
    }
  }
  return Fail("amqp:not-allowed",
              "a begin came in answer to a session that waits for none");
}

bool Engine::CheckAttach(const Session& session, std::string_view text) {
  AttachFields attach;
  if (!Decode(text, &attach)) {
    return Fail("amqp:decode-error", "an attach's fields are malformed");
  }
  if (session.FindLink(attach.handle) == nullptr) return true;
  return Fail("amqp:session:handle-in-use",
              "handle " + std::to_string(attach.handle) + " is in use");
}

bool Engine::OnHotFrame(uint64_t code, uint16_t channel,
                        std::string_view text) {
  Session* session = FindSession(channel);
  if (session == nullptr) {
    return Fail("amqp:not-allowed",
                "no session on channel " + std::to_string(channel));
  }
  switch (code) {
    case kTransfer: {
      Transfer transfer;
      if (Decode(text, &transfer)) return session->OnTransfer(transfer);
      break;
    }
    case kFlow: {
      Flow flow;
      if (Decode(text, &flow)) return session->OnFlow(flow);
      break;
    }
    default: {
      Disposition disposition;
      if (Decode(text, &disposition)) {
        return session->OnDisposition(disposition);
      }
      break;
    }
  }
  return Fail("amqp:decode-error", "a frame's fields are malformed");
}

void Engine::ToProton(std::string_view bytes) {
  pn_transport_push(driver_.transport, bytes.data(), bytes.size());
  DrainEvents();
  Pull();
  if (!opened_ && !options_.server) CheckSasl();
}

void Engine::CheckSasl() {
  if (options_.sasl_mechanisms.empty()) return;
  // Proton tells a refusal only once the peer has hung up in good order, which
  // not every peer does.
  pn_sasl_outcome_t outcome = pn_sasl_outcome(pn_sasl(driver_.transport));
  if (outcome == PN_SASL_NONE || outcome == PN_SASL_OK) return;
  failed_ = true;
  if (outcome == PN_SASL_AUTH || outcome == PN_SASL_PERM) {
    Lost({"amqp:unauthorized-access", "SASL authentication failed", ""});
  } else {
    Lost({"amqp:internal-error", "SASL authentication could not be done", ""});
  }
}

void Engine::CloseInput() {
  pn_connection_driver_read_close(&driver_);
  DrainEvents();
  Pull();
  Lost({"amqp:connection:forced", "the peer hung up", ""});
}

bool Engine::Fail(const char* name, std::string_view description) {
  if (!failed_ && !closed_) {
    failed_ = true;
    Close({name, std::string(description), ""});
  }
  return false;
}

void Engine::Close(const Condition& why) {
  if (why.is_set()) {
    pn_condition_t* condition = pn_connection_condition(driver_.connection);
    pn_condition_set_name(condition, why.name.c_str());
    pn_condition_set_description(condition, why.description.c_str());
  }
  pn_connection_open(driver_.connection);
  pn_connection_close(driver_.connection);
  DrainEvents();
  Pull();
  if (failed_) Lost(why);
}

void Engine::Lost(const Condition& why) {
  closed_ = true;
  if (std::exchange(lost_, true)) return;
  handler_->OnClosed(why);
}

void Engine::Flush(absl::Time now) {
  held_until_ = absl::InfiniteFuture();
  // Handlers may mark more while this runs.
  for (size_t i = 0; i < dirty_links_.size(); ++i) {
    if (dirty_links_[i] != nullptr) dirty_links_[i]->Flush(now);
  }
  dirty_links_.clear();
  dirty_links_.swap(held_links_);
  for (size_t i = 0; i < dirty_sessions_.size(); ++i) {
    if (dirty_sessions_[i] != nullptr) dirty_sessions_[i]->Flush();
  }
  dirty_sessions_.clear();
  if (sweep_) Sweep();
}

absl::Time Engine::Tick(absl::Time now) {
  if (std::exchange(heard_, false) || heard_at_ == absl::InfinitePast()) {
    heard_at_ = now;
  }
  if (output_.written() != written_bytes_ ||
      written_at_ == absl::InfinitePast()) {
    written_bytes_ = output_.written();
    written_at_ = now;
  }
  if (closed_) return absl::InfiniteFuture();
  if (ends_owed_ > 0 && ends_due_ == absl::InfiniteFuture()) {
    ends_due_ = now + kEndPatience;
  }
  if (now >= ends_due_) GiveUpEnds();
  absl::Time next = std::min(ends_due_, held_until_);
  if (options_.idle_timeout > absl::ZeroDuration()) {
    absl::Time limit = heard_at_ + options_.idle_timeout;
    if (now >= limit) {
      Fail("amqp:resource-limit-exceeded",
           "nothing came for the idle time-out");
      return absl::InfiniteFuture();
    }
    next = std::min(next, limit);
  }
  pn_millis_t remote = pn_transport_get_remote_idle_timeout(driver_.transport);
  if (opened_ && remote > 0) {
    absl::Time due = written_at_ + absl::Milliseconds(remote) / 2;
    if (now >= due) {
      if (output_.empty()) AppendEmptyFrame(output_.tail());
      written_at_ = now;
      due = now + absl::Milliseconds(remote) / 2;
    }
    next = std::min(next, due);
  }
  return next;
}

void Engine::Sweep() {
  sweep_ = false;
  for (size_t i = 0; i < sessions_.size();) {
    Session* session = sessions_[i].get();
    std::vector<std::unique_ptr<Link>>& links = session->links_;
    for (size_t k = 0; k < links.size();) {
      Link* link = links[k].get();
      bool gone = link->closing_ && (link->remote_closed_ || session->ended_);
      if (gone && link->handler_ == nullptr) {
        link->TakeUnsettled();
        std::replace(dirty_links_.begin(), dirty_links_.end(), link,
                     static_cast<Link*>(nullptr));
        links.erase(links.begin() + static_cast<ptrdiff_t>(k));
        --links_;
      } else {
        ++k;
      }
    }
    if (links.empty() && session->own_ && !session->closing_ &&
        !session->ping_) {
      EndSession(session);
    }
    if (links.empty() && session->closing_ && session->ended_) {
      std::replace(dirty_sessions_.begin(), dirty_sessions_.end(), session,
                   static_cast<Session*>(nullptr));
      sessions_.erase(sessions_.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

}  // namespace tieline::inline v0::amqp::wire
