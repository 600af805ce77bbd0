// AmqpSender: sends to one entity, unsettled, against the broker's credit.
#ifndef TIELINE_ADAPTERS_AMQP_SENDER_H_
#define TIELINE_ADAPTERS_AMQP_SENDER_H_

#include <string>
#include <vector>

#include "adapters/amqp/connection.h"
#include "adapters/amqp/engine/handlers.h"
#include "adapters/amqp/wire/message_codec.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0::amqp {

class AmqpSender final : public driver::SenderDriver,
                         public Handle,
                         public wire::LinkHandler {
 public:
  AmqpSender(AmqpConnection* connection, const driver::SenderSpec& spec,
             driver::SenderSink* sink);
  ~AmqpSender() override;

  size_t Submit(std::span<const driver::Outbound> batch, bool atomic) override;
  void Close() override;

  void OnUp() override;
  void Deliver() override;
  void OnLost(const absl::Status& why) override;
  void BeginClose() override { Close(); }
  bool closed() const override { return state_ == State::kClosed; }
  void AddTo(OnTheWay* all) const override { all->outcomes += unsettled_; }

  void OnAttached(wire::Link* link) override;
  void OnDetached(wire::Link* link, const wire::Condition& why) override;
  void OnSendable(wire::Link* link) override;
  void OnOutcome(wire::Link* link, uint64_t cookie,
                 const wire::DeliveryState& state) override;
  void OnDelivery(wire::Link*, wire::Delivery) override {}
  void OnSettled(wire::Link*, uint32_t, uint64_t,
                 const wire::DeliveryState&) override {}
  void OnDrained(wire::Link*) override {}

 private:
  enum class State : uint8_t { kPending, kAttaching, kOpen, kClosed };

  // Encodes and sends one; false with an outcome given when it can't be.
  void SubmitOne(const driver::Outbound& one);
  void Refuse(uint64_t cookie, absl::Status why);
  void AnswerUnsettled(const absl::Status& why);
  void MarkReady();
  // "queue NAME (entity ENTITY at broker ...)", for messages.
  std::string Where() const;
  // For the word on the handle's end, to which the core adds the queue.
  std::string At() const;

  AmqpConnection* const connection_;
  const driver::SenderSpec spec_;
  driver::SenderSink* const sink_;
  wire::Link* link_ = nullptr;
  wire::EncodeOptions encode_;
  uint64_t max_message_bytes_ = 0;  // 0: no limit is known
  std::vector<driver::Outcome> outcomes_;
  uint64_t unsettled_ = 0;
  State state_ = State::kPending;
  bool ready_ = false;
  bool tell_opened_ = false;
  bool tell_sendable_ = false;
  bool tell_closed_ = false;
  bool blocked_ = false;  // OnSendable is owed
  bool closing_ = false;
  absl::Status closed_why_;
};

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_SENDER_H_
