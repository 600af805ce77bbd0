// What the frame layer tells its user. Handlers are called inside
// Engine::Consume and Engine::CloseInput, on the thread that calls those. They
// may call any function of engine, session and link, but destroy no engine.
#ifndef TIELINE_ADAPTERS_AMQP_ENGINE_HANDLERS_H_
#define TIELINE_ADAPTERS_AMQP_ENGINE_HANDLERS_H_

#include <cstdint>
#include <string_view>

#include "adapters/amqp/wire/condition.h"
#include "adapters/amqp/wire/performatives.h"
#include "tieline/bytes.h"

namespace tieline::inline v0::amqp::wire {

class Link;

// One whole message that came.
struct Delivery {
  uint32_t id = 0;
  std::string_view tag;  // valid during the call
  uint32_t message_format = 0;
  bool settled = false;  // nothing is to be settled
  Bytes payload;
};

class LinkHandler {
 public:
  // The peer has attached. A refused link has an empty terminus, and its detach
  // follows.
  virtual void OnAttached(Link* link) = 0;
  // The peer has detached, or its session has ended. Release the link.
  virtual void OnDetached(Link* link, const Condition& why) = 0;
  // Senders: credit or window has come. Answer a drain by sending what there
  // is, now: the credit that is left is given back when this returns.
  virtual void OnSendable(Link* link) = 0;
  // Senders: the peer's last word on a delivery, once.
  virtual void OnOutcome(Link* link, uint64_t cookie,
                         const DeliveryState& state) = 0;
  virtual void OnDelivery(Link* link, Delivery delivery) = 0;
  // Receivers: the peer has settled what was settled provisionally.
  virtual void OnSettled(Link* link, uint32_t id, uint64_t cookie,
                         const DeliveryState& state) = 0;
  // Receivers: no credit is left after Drain.
  virtual void OnDrained(Link* link) = 0;

 protected:
  ~LinkHandler() = default;
};

class EngineHandler {
 public:
  // The peer has opened the connection.
  virtual void OnOpened() = 0;
  // The peer attaches a link of its own: Accept or Refuse it, now.
  virtual void OnAttach(Link* link) = 0;
  // The peer has answered a Ping.
  virtual void OnPong() {}
  // Once: the connection is over. No condition after a clean close.
  virtual void OnClosed(const Condition& why) = 0;

 protected:
  ~EngineHandler() = default;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_ENGINE_HANDLERS_H_
