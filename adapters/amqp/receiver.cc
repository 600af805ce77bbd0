#include "adapters/amqp/receiver.h"

#include <proton/link.h>
#include <proton/terminus.h>

#include <algorithm>
#include <utility>

#include "adapters/amqp/errors.h"
#include "adapters/amqp/product.h"
#include "adapters/amqp/settlement.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

using driver::Settled;
using driver::Settlement;
using driver::Token;
using driver::Verb;

constexpr uint32_t kEpoch = 1;
// In the token's id: the broker had settled it when it came.
constexpr uint64_t kSettledOnArrival = uint64_t{1} << 32;

// A cookie for the wire: the verb, never 0.
uint64_t CookieOf(Verb verb) { return static_cast<uint64_t>(verb) + 1; }
Verb VerbOf(uint64_t cookie) { return static_cast<Verb>(cookie - 1); }

Token TokenOf(uint64_t id) { return {driver::Lane{0}, kEpoch, id}; }

const wire::DeliveryState& Accepted() {
  static const wire::DeliveryState accepted = [] {
    wire::DeliveryState state;
    state.kind = wire::DeliveryState::Kind::kAccepted;
    return state;
  }();
  return accepted;
}

}  // namespace

AmqpReceiver::AmqpReceiver(AmqpConnection* connection,
                           const driver::ReceiverSpec& spec,
                           driver::ReceiverSink* sink)
    : connection_(connection), spec_(spec), sink_(sink) {
  connection_->Add(this);
}

AmqpReceiver::~AmqpReceiver() {
  if (link_ != nullptr) link_->Release();
  connection_->Remove(this);
}

std::string AmqpReceiver::Where() const {
  return fmt::format("queue {} (entity {} at {})", spec_.queue.name,
                     spec_.queue.entity, connection_->where());
}

std::string AmqpReceiver::At() const {
  return fmt::format("entity {} at {}", spec_.queue.entity,
                     connection_->where());
}

void AmqpReceiver::MarkReady() {
  if (std::exchange(ready_, true)) return;
  connection_->MarkReady(this);
  connection_->Touch();
}

void AmqpReceiver::OnUp() {
  if (state_ != State::kPending) return;
  if (spec_.browse && connection_->product() == Product::kRabbitMq) {
    state_ = State::kClosed;
    tell_closed_ = true;
    closed_why_ = MakeStatus(absl::StatusCode::kUnimplemented,
                             "{}: RabbitMQ can't be browsed", At());
    MarkReady();
    return;
  }
  wire::LinkSpec link;
  auto name = spec_.queue.settings.find("receiver_name");
  link.name = name != spec_.queue.settings.end()
                  ? name->second
                  : connection_->NewLinkName(spec_.queue.entity);
  SetAddress(connection_->product(), spec_.queue, &link);
  link.browse = spec_.browse;
  // RabbitMQ refuses rcv-settle-mode second, and confirms all the same.
  link.confirm = connection_->settings().confirm && !spec_.browse &&
                 connection_->product() != Product::kRabbitMq;
  link.max_message_bytes = connection_->settings().max_message_bytes;
  // RabbitMQ 3 reckons credit without what is on its way from the queue to the
  // session, and so sends more than it was given.
  link.overdraft = connection_->product() == Product::kRabbitMq;
  broker_subject_ = BrokerSubjectOf(connection_->product(), spec_.queue.entity);
  state_ = State::kAttaching;
  link_ = connection_->engine()->Attach(link, this);
}

void AmqpReceiver::OnAttached(wire::Link* link) {
  if (pn_terminus_get_type(pn_link_remote_source(link->proton())) ==
      PN_UNSPECIFIED) {
    return;  // refused: its detach follows
  }
  state_ = State::kOpen;
  bool confirms =
      connection_->product() == Product::kRabbitMq ||
      pn_link_remote_rcv_settle_mode(link->proton()) == PN_RCV_SECOND;
  confirm_ = connection_->settings().confirm && !spec_.browse && confirms;
  tell_opened_ = true;
  TopUp();
  MarkReady();
}

void AmqpReceiver::OnDetached(wire::Link* link, const wire::Condition& why) {
  absl::Status status =
      closing_ && !why.is_set()
          ? absl::OkStatus()
          : ToStatus(At() + (state_ == State::kOpen
                                 ? ": the broker closed the receiver"
                                 : ": can't be received from"),
                     why);
  AnswerPending(status.ok() ? absl::UnavailableError(
                                  Where() + ": the receiver was closed before "
                                            "the broker had answered")
                            : Annotate(status, "queue " + spec_.queue.name));
  link->Release();
  link_ = nullptr;
  parked_.clear();
  inbound_.clear();
  state_ = State::kClosed;
  closed_why_ = std::move(status);
  tell_closed_ = true;
  MarkReady();
}

void AmqpReceiver::Grant(driver::Lane, uint32_t messages, uint64_t bytes) {
  if (closing_ || state_ == State::kClosed) return;
  messages_ += messages;
  bytes_ = bytes > UINT64_MAX - bytes_ ? UINT64_MAX : bytes_ + bytes;
  Unpark();
  TopUp();
  connection_->Touch();
}

void AmqpReceiver::TopUp() {
  if (state_ != State::kOpen || closing_ || draining_) return;
  uint64_t likely = bytes_ == 0 ? 0 : bytes_ / typical_size_ + 1;
  uint64_t want = std::min<uint64_t>({messages_, likely, INT32_MAX});
  uint64_t have = link_->granted() + parked_.size();
  if (want > have) link_->AddCredit(static_cast<uint32_t>(want - have));
}

void AmqpReceiver::OnDelivery(wire::Link* link, wire::Delivery delivery) {
  uint64_t id = delivery.id;
  if (delivery.settled) id |= kSettledOnArrival;
  size_t size = delivery.payload.size();
  wire::DeliveryFacts facts;
  absl::StatusOr<Message> message = wire::DecodeMessage(
      std::move(delivery.payload), &facts, broker_subject_, &preamble_);
  if (!message.ok()) {
    wire::DeliveryState state;
    state.kind = wire::DeliveryState::Kind::kRejected;
    state.condition = {"amqp:decode-error",
                       std::string(MessageOf(message.status())), ""};
    if (!delivery.settled) link->Settle(delivery.id, state, true);
    TopUp();
    return;
  }
  if (spec_.browse && !delivery.settled) {
    wire::DeliveryState state;
    state.kind = wire::DeliveryState::Kind::kAccepted;
    link->Settle(delivery.id, state, true);
    id |= kSettledOnArrival;
  }
  connection_->gathering()->OnDelivery();
  // Slow to forget a large one: memory is at stake.
  typical_size_ =
      std::max<uint64_t>({size, typical_size_ - typical_size_ / 64, 256});
  const bool covered = parked_.empty() && bytes_ > 0 && messages_ > 0;
  driver::Inbound& one =
      covered ? inbound_.emplace_back() : parked_.emplace_back();
  one.token = TokenOf(id);
  one.message = *std::move(message);
  one.position = facts.sequence_number;
  one.attempts = facts.delivery_count;
  one.redelivered = facts.delivery_count > 0 ||
                    (facts.has_first_acquirer && !facts.first_acquirer);
  if (facts.locked_until_ms > 0) {
    one.locked_until = absl::FromUnixMillis(facts.locked_until_ms);
  }
  if (!covered) return;
  Spend(one.message.body_view().size());
  MarkReady();
}

void AmqpReceiver::Spend(size_t body_bytes) {
  bytes_ -= std::min<uint64_t>(bytes_, body_bytes);
  --messages_;
}

void AmqpReceiver::Unpark() {
  while (!parked_.empty() && bytes_ > 0 && messages_ > 0) {
    driver::Inbound& one = parked_.front();
    Spend(one.message.body_view().size());
    inbound_.push_back(std::move(one));
    parked_.pop_front();
  }
  if (!inbound_.empty()) MarkReady();
}

void AmqpReceiver::ReleaseParked() {
  wire::DeliveryState state;
  state.kind = wire::DeliveryState::Kind::kReleased;
  for (const driver::Inbound& one : parked_) {
    if ((one.token.id & kSettledOnArrival) != 0) continue;
    link_->Settle(static_cast<uint32_t>(one.token.id), state, true);
  }
  parked_.clear();
}

void AmqpReceiver::Drain() {
  messages_ = 0;
  bytes_ = 0;
  if (state_ != State::kOpen) {
    tell_drained_ = true;
    MarkReady();
    return;
  }
  draining_ = true;
  link_->Drain();
  connection_->Touch();
}

void AmqpReceiver::OnDrained(wire::Link*) {
  draining_ = false;
  ReleaseParked();
  tell_drained_ = true;
  MarkReady();
}

void AmqpReceiver::Answer(Token token, Verb verb, absl::Status status) {
  Settled& settled = settled_.emplace_back();
  settled.token = token;
  settled.verb = verb;
  settled.status = std::move(status);
  MarkReady();
}

void AmqpReceiver::Settle(std::span<const Settlement> settlements) {
  for (const Settlement& one : settlements) SettleOne(one);
  connection_->Touch();
}

void AmqpReceiver::SettleOne(const Settlement& one) {
  if (one.token.epoch != kEpoch || one.token.lane != driver::Lane{0} ||
      link_ == nullptr) {
    Answer(
        one.token, one.verb,
        MakeStatus(absl::StatusCode::kAborted,
                   "{}: the delivery is of a receiver that is gone", Where()));
    return;
  }
  // Most of them, without making a state: as StateOf has it.
  if (one.verb == Verb::kComplete && (one.token.id & kSettledOnArrival) == 0) {
    SettleAs(one, Accepted());
    return;
  }
  wire::DeliveryState state;
  std::string scratch;
  absl::Status mapped = StateOf(one, &state, &scratch);
  if (connection_->product() == Product::kRabbitMq &&
      state.kind == wire::DeliveryState::Kind::kModified) {
    // Which it does not know; released puts the message back just so.
    state.kind = wire::DeliveryState::Kind::kReleased;
  }
  if (!mapped.ok() || (one.token.id & kSettledOnArrival) != 0) {
    Answer(one.token, one.verb, std::move(mapped));
    return;
  }
  SettleAs(one, state);
}

void AmqpReceiver::SettleAs(const Settlement& one,
                            const wire::DeliveryState& state) {
  if (!link_->Settle(static_cast<uint32_t>(one.token.id), state, !confirm_,
                     CookieOf(one.verb))) {
    Answer(one.token, one.verb,
           MakeStatus(absl::StatusCode::kAborted,
                      "{}: the delivery is settled already", Where()));
    return;
  }
  if (confirm_) {
    ++unconfirmed_;
  } else {
    Answer(one.token, one.verb, absl::OkStatus());
  }
}

void AmqpReceiver::OnSettled(wire::Link*, uint32_t id, uint64_t cookie,
                             const wire::DeliveryState& state) {
  if (cookie == 0) return;  // settled by the broker of its own accord
  --unconfirmed_;
  Verb verb = VerbOf(cookie);
  absl::Status status;
  if (verb != Verb::kDeadLetter && state.condition.is_set()) {
    status = MakeStatus(absl::StatusCode::kAborted,
                        "{}: the broker did not take the settlement: {}",
                        Where(), state.condition.ToString());
  }
  Answer(TokenOf(id), verb, std::move(status));
}

void AmqpReceiver::AnswerPending(const absl::Status& why) {
  if (link_ == nullptr) return;
  for (const wire::Link::Unsettled& one : link_->TakeUnsettled()) {
    if (one.cookie == 0) continue;
    Answer(TokenOf(one.id), VerbOf(one.cookie),
           absl::Status(absl::StatusCode::kUnavailable, why.message()));
  }
  unconfirmed_ = 0;
}

void AmqpReceiver::DropLane(driver::Lane, uint32_t) { Close(); }

void AmqpReceiver::Deliver() {
  ready_ = false;
  if (std::exchange(tell_opened_, false)) {
    sink_->OnOpened(connection_->capabilities());
  }
  if (!settled_.empty()) {
    telling_.swap(settled_);  // which keeps the memory of both
    sink_->OnSettled(telling_);
    telling_.clear();
  }
  if (!inbound_.empty() && !closing_) {
    delivering_.swap(inbound_);
    sink_->OnDeliveries(delivering_);
    delivering_.clear();
    TopUp();
  }
  if (std::exchange(tell_drained_, false)) sink_->OnDrained();
  if (std::exchange(tell_closed_, false)) {
    sink_->OnClosed(closed_why_);
    return;
  }
  if (closing_ && unconfirmed_ == 0 && state_ == State::kOpen) {
    link_->Detach();
  }
}

void AmqpReceiver::OnLost(const absl::Status& why) {
  AnswerPending(why);
  link_ = nullptr;
  state_ = State::kClosed;
  if (!settled_.empty()) sink_->OnSettled(std::exchange(settled_, {}));
}

void AmqpReceiver::Close() {
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
