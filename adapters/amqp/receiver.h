// AmqpReceiver: receives from one entity. Its one lane is 0, of epoch 1.
//
// Credit in messages becomes link credit. AMQP has none in bytes: link credit
// is held back to what the bytes granted are likely to hold, judged by the
// messages seen so far, and a message that comes beyond them is kept here until
// there are bytes again.
#ifndef TIELINE_ADAPTERS_AMQP_RECEIVER_H_
#define TIELINE_ADAPTERS_AMQP_RECEIVER_H_

#include <deque>
#include <string>
#include <vector>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/engine/handlers.h"
#include "adapters/amqp/wire/message_codec.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0::amqp {

class AmqpReceiver final : public driver::ReceiverDriver,
                           public Handle,
                           public wire::LinkHandler {
 public:
  AmqpReceiver(AmqpConnection* connection, const driver::ReceiverSpec& spec,
               driver::ReceiverSink* sink);
  ~AmqpReceiver() override;

  void Grant(driver::Lane lane, uint32_t messages, uint64_t bytes) override;
  void Drain() override;
  void Settle(std::span<const driver::Settlement> settlements) override;
  void DropLane(driver::Lane lane, uint32_t epoch) override;
  void Close() override;

  void OnUp() override;
  void Deliver() override;
  void OnLost(const absl::Status& why) override;
  void BeginClose() override { Close(); }
  bool closed() const override { return state_ == State::kClosed; }
  void AddTo(OnTheWay* all) const override {
    if (link_ != nullptr) all->deliveries += link_->granted();
  }

  void OnAttached(wire::Link* link) override;
  void OnDetached(wire::Link* link, const wire::Condition& why) override;
  void OnSendable(wire::Link*) override {}
  void OnOutcome(wire::Link*, uint64_t, const wire::DeliveryState&) override {}
  void OnDelivery(wire::Link* link, wire::Delivery delivery) override;
  void OnSettled(wire::Link* link, uint32_t id, uint64_t cookie,
                 const wire::DeliveryState& state) override;
  void OnDrained(wire::Link* link) override;

 private:
  enum class State : uint8_t { kPending, kAttaching, kOpen, kClosed };

  void SettleOne(const driver::Settlement& one);
  void SettleAs(const driver::Settlement& one,
                const wire::DeliveryState& state);
  void Answer(driver::Token token, driver::Verb verb, absl::Status status);
  // Gives link credit as far as messages and bytes allow.
  void TopUp();
  // Takes a message that is to be delivered from what was granted.
  void Spend(size_t body_bytes);
  // Moves parked messages to those to be delivered, as far as bytes allow.
  void Unpark();
  void ReleaseParked();
  void AnswerPending(const absl::Status& why);
  void MarkReady();
  std::string Where() const;
  // For the word on the handle's end, to which the core adds the queue.
  std::string At() const;

  AmqpConnection* const connection_;
  const driver::ReceiverSpec spec_;
  driver::ReceiverSink* const sink_;
  wire::Link* link_ = nullptr;
  bool confirm_ = false;  // the broker settles second
  // What was granted and is not delivered yet.
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
  uint64_t typical_size_ = 1024;
  std::string_view broker_subject_;  // part of spec_
  wire::Preamble preamble_;
  std::deque<driver::Inbound> parked_;
  std::vector<driver::Inbound> inbound_;
  std::vector<driver::Settled> settled_;
  // What the sink is being given.
  std::vector<driver::Inbound> delivering_;
  std::vector<driver::Settled> telling_;
  uint64_t unconfirmed_ = 0;
  State state_ = State::kPending;
  bool ready_ = false;
  bool tell_opened_ = false;
  bool tell_drained_ = false;
  bool tell_closed_ = false;
  bool draining_ = false;
  bool closing_ = false;
  absl::Status closed_why_;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_RECEIVER_H_
