// Session: one session's windows, delivery ids and handles (AMQP 1.0 section
// 2.5). Internal to the frame layer: its users see Engine and Link.
//
// Threads: those of the engine.
#ifndef TIELINE_ADAPTERS_AMQP_ENGINE_SESSION_H_
#define TIELINE_ADAPTERS_AMQP_ENGINE_SESSION_H_

#include <proton/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "adapters/amqp/wire/delivery_window.h"
#include "adapters/amqp/wire/performatives.h"

namespace tieline::inline v0::amqp::wire {

class Engine;
class Link;

class Session {
 public:
  // `own`: made for one link, and ended with it.
  Session(Engine* engine, pn_session_t* session, bool own);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Begin, as sent and as received.
  void OnLocalBegin(uint16_t channel, const BeginFields& begin);
  void OnRemoteBegin(const BeginFields& begin);

  // Frames from the peer. False after the engine was told of a fault.
  bool OnTransfer(const Transfer& transfer);
  bool OnFlow(const Flow& flow);
  bool OnDisposition(const Disposition& disposition);

  // False: the handle is taken, or beyond what is allowed.
  bool Bind(uint32_t remote_handle, Link* link);
  Link* FindLink(uint32_t remote_handle) const {
    return remote_handle < by_handle_.size() ? by_handle_[remote_handle]
                                             : nullptr;
  }
  void Unbind(uint32_t remote_handle);

  // The window for our transfers. Taking one uses up a transfer id.
  bool CanTransfer() const { return remote_window_ > 0 && has_channel_; }
  void TakeTransfer() {
    --remote_window_;
    ++next_outgoing_id_;
  }

  // Writes a flow frame: of the session, or of `link` with its credit.
  void SendFlow(const Link* link, bool drain, bool echo);
  // Puts the present windows into `flow`, and renews the one that we grant.
  void FillWindows(Flow* flow);
  void SettleOutgoing(uint32_t id) { to_settle_.push_back(id); }
  // What the turn has left to say: settlements, a window.
  void Flush();
  void MarkDirty();

  Engine* engine() const { return engine_; }
  pn_session_t* proton() const { return session_; }
  bool own() const { return own_; }
  uint16_t channel() const { return channel_; }
  DeliveryWindow* outgoing() { return &outgoing_; }
  DeliveryWindow* incoming() { return &incoming_; }
  std::vector<std::unique_ptr<Link>>* links() { return &links_; }

 private:
  friend class Engine;
  friend class Link;
  bool Settle(DeliveryWindow* window, const Disposition& disposition);
  bool UnknownHandle(uint32_t handle);
  void WakeSenders();

  Engine* const engine_;
  pn_session_t* const session_;
  const bool own_;
  uint16_t channel_ = 0;
  bool has_channel_ = false;
  bool waits_ = false;    // not begun by us yet
  bool begun_ = false;    // by the peer
  bool ended_ = false;    // by the peer
  bool closing_ = false;  // by us
  bool dirty_ = false;
  bool ping_ = false;  // made by Engine::Ping
  bool incoming_started_ = false;
  uint32_t initial_outgoing_id_ = 0;
  uint32_t next_outgoing_id_ = 0;
  uint32_t next_incoming_id_ = 0;
  uint32_t remote_window_ = 0;    // transfers that we may send
  uint32_t incoming_window_ = 0;  // transfers that the peer may send
  DeliveryWindow outgoing_;
  DeliveryWindow incoming_;
  std::vector<uint32_t> to_settle_;  // our sends, once the peer has spoken
  std::vector<Link*> by_handle_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_ENGINE_SESSION_H_
