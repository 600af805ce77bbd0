// ReceiverCore: what is behind a Receiver, a Processor and a Route's source.
// Grants credit, hands deliveries out (to Receive, or to a consumer), queues
// settlements, retries in place and dead-letters by copy where the broker has
// no such thing, and makes tokens stale when their lane or connection is gone.
#ifndef TIELINE_LIB_ENGINE_RECEIVER_CORE_H_
#define TIELINE_LIB_ENGINE_RECEIVER_CORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/sender_core.h"
#include "lib/policy/backoff.h"
#include "tieline/driver/driver.h"
#include "tieline/metrics.h"
#include "tieline/receiver.h"

namespace tieline::inline v0 {

// Takes deliveries as they come: all calls in the strand, without locks.
class DeliveryConsumer {
 public:
  virtual ~DeliveryConsumer() = default;
  // Moves the messages out. Tokens are of `incarnation`. Retries in place come
  // the same way.
  virtual void OnDeliveries(std::span<driver::Inbound> deliveries,
                            uint32_t incarnation) = 0;
  // The lane goes away: forget what was not begun (ReceiverCore::Forget).
  virtual void OnLaneClosing(driver::Lane lane, uint32_t epoch) = 0;
  // All tokens are stale.
  virtual void OnLost() = 0;
};

class ReceiverCore final : public EndpointUser, public driver::ReceiverSink {
 public:
  using MakeDeadLetterSender = std::function<std::shared_ptr<SenderCore>()>;

  ReceiverCore(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
               ReceiverOptions options,
               MakeDeadLetterSender make_dead_letter_sender);
  ~ReceiverCore() override;

  // From now on deliveries go to `consumer`; null: to Receive again.
  // kFailedPrecondition when there is one.
  absl::Status SetConsumer(std::shared_ptr<DeliveryConsumer> consumer);

  absl::Status ReceiveBatch(size_t max, absl::Duration timeout,
                            const std::stop_token& stop,
                            std::vector<Delivery>* out);
  Delivery MakeDelivery(driver::Inbound inbound, uint32_t incarnation);

  // Settles one. Abandon and dead-letter need the message: `inbound` is moved
  // from for them. kAborted: stale; kUnimplemented.
  absl::Status Settle(driver::Inbound& inbound, uint32_t incarnation,
                      driver::Verb verb, std::string_view reason,
                      std::string_view detail);
  // Abandons, keeping the message here: it comes to the consumer again after a
  // back-off, as one attempt more, or is dead-lettered past its attempts. Also
  // where the broker redelivers: what it sends again would come behind later
  // messages of the key.
  absl::Status AbandonInPlace(driver::Inbound& inbound, uint32_t incarnation);
  // Completes many of one incarnation.
  void CompleteMany(std::span<const driver::Token> tokens,
                    uint32_t incarnation);
  // Settles and waits for the broker's answer.
  absl::Status SettleConfirmed(driver::Inbound& inbound, uint32_t incarnation,
                               driver::Verb verb, absl::Duration timeout,
                               absl::Time* locked_until);
  // The delivery will not be settled: its lane is closing.
  void Forget(const driver::Token& token, uint32_t incarnation);
  // The same, of the present incarnation: in the strand.
  void ForgetCurrent(const driver::Token& token);
  // Gives it to the consumer again after a back-off, as one attempt more.
  void RetryLater(driver::Inbound inbound, uint32_t incarnation);
  // Grants no more and asks what was granted back; what still comes is
  // released. Until the next consumer or Receive.
  void Pause();

  absl::Status Flush(absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);
  absl::Status WaitOpen(absl::Duration timeout);
  absl::StatusOr<std::vector<Delivery>> ReceiveDeferred(
      std::vector<int64_t> positions, absl::Duration timeout);
  absl::Status AcceptSession(std::string name);

  Capabilities capabilities() const;
  bool Can(Capability c) const;
  // False when one more failure after `attempts` earlier ones dead-letters.
  bool WouldRetry(uint32_t attempts) const;
  std::string LaneName(driver::Lane lane) const;
  ReceiverMetrics metrics() const;
  const ReceiverOptions& options() const { return options_; }
  const QueueConfig& queue() const { return queue_; }
  Endpoint& endpoint() const { return *endpoint_; }
  absl::Status last_error() const;
  std::string Name() const;

  // EndpointUser.
  void OnUp(driver::Connection* connection) override;
  void OnDown(const absl::Status& why) override;
  absl::Time Pump(absl::Time now) override;
  bool OnInlineWake() override;
  // driver::ReceiverSink.
  void OnOpened(const Capabilities& capabilities) override;
  void OnDeliveries(std::span<driver::Inbound> deliveries) override;
  void HandOverReady();
  void OnSettled(std::span<const driver::Settled> settled) override;
  void OnLane(const driver::LaneEvent& event) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& why) override;

 private:
  enum class Link { kDown, kOpening, kOpen, kClosing, kClosed };
  struct LaneInfo {
    uint32_t epoch = 0;
    bool announced = false;  // by an event; a plain receiver's lane is not
    bool open = false;
    bool closing = false;
    bool stalled = false;
    uint32_t unsettled = 0;
    absl::Time until = absl::InfiniteFuture();
    std::string name;
  };
  struct Op {
    driver::Token token;
    driver::Verb verb;
    std::string reason;
    std::string detail;
  };
  struct Waiter {
    bool done = false;
    absl::Status status;
    absl::Time locked_until = absl::InfinitePast();
  };
  struct TokenHash {
    size_t operator()(const driver::Token& t) const {
      return absl::Hash<std::pair<uint32_t, uint64_t>>()(
          {static_cast<uint32_t>(t.lane), t.id});
    }
  };
  struct Retry {
    driver::Inbound inbound;
    uint64_t key = 0;
    bool keyed = false;
  };

  absl::Status CheckToken(const driver::Token& token, uint32_t incarnation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LaneInfo& LaneOf(driver::Lane lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Arrived(const driver::Inbound& inbound)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FreeBlockedKeys() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropBuffered(driver::Lane lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetLane(driver::Lane lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<SenderCore> DeadLetterSender() ABSL_LOCKS_EXCLUDED(mu_);
  void Account(LaneInfo& lane, uint32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushOp(const driver::Token& token, driver::Verb verb,
              std::string_view reason, std::string_view detail)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After the lock was left: has queued settlements sent soon.
  void NudgeSettlements(size_t queued);
  absl::Status DeadLetterByCopy(driver::Inbound& inbound, uint32_t incarnation,
                                std::string_view reason,
                                std::string_view detail);
  void FinishDeadLetter(const SendResult& result, driver::Inbound inbound,
                        uint32_t incarnation);
  void ScheduleRetry(driver::Inbound inbound)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t TakeReady(size_t max, std::vector<Delivery>* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool WaitForReady(absl::Time until, const std::stop_token& stop);
  bool SpinForWake();
  absl::Status ReceiveError() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // In the strand.
  void OpenLink(absl::Time now);
  void SendSettlements();
  void GrantCredit();
  void AskToDrain();
  absl::Time RunRetries(absl::Time now);
  absl::Time CloseLanes(absl::Time now);
  void ReleaseBuffered();
  void DropState(const absl::Status& why);
  void SetError(const absl::Status& error);

  const std::shared_ptr<Endpoint> endpoint_;
  const QueueConfig queue_;
  const ReceiverOptions options_;
  const MakeDeadLetterSender make_dead_letter_sender_;
  const bool ordered_;
  const uint32_t settle_batch_;

  // In the strand.
  Link link_ = Link::kDown;
  driver::Connection* connection_ = nullptr;
  std::unique_ptr<driver::ReceiverDriver> driver_;
  Backoff open_backoff_;
  absl::Time open_at_ = absl::InfinitePast();
  bool drain_asked_ = false;
  bool refused_ = false;  // the link lacks what is needed
  std::vector<driver::Settlement> settle_scratch_;

  std::atomic<uint64_t> capability_bits_;
  std::atomic<bool> inline_wake_{false};
  std::atomic<int> spinning_{0};

  mutable Mutex mu_;
  Condition cv_;
  std::shared_ptr<DeliveryConsumer> consumer_ ABSL_GUARDED_BY(mu_);
  std::deque<driver::Inbound> ready_ ABSL_GUARDED_BY(mu_);
  std::vector<Op> ops_ ABSL_GUARDED_BY(mu_);
  absl::node_hash_map<uint32_t, LaneInfo> lanes_ ABSL_GUARDED_BY(mu_);
  LaneInfo* last_lane_ ABSL_GUARDED_BY(mu_) = nullptr;
  uint32_t last_lane_number_ ABSL_GUARDED_BY(mu_) = 0;
  bool lanes_closing_ ABSL_GUARDED_BY(mu_) = false;
  std::multimap<absl::Time, Retry> retries_ ABSL_GUARDED_BY(mu_);
  // Ordered, pull style: keys with a message that waits to be retried, and
  // what came behind it.
  absl::flat_hash_map<uint64_t, std::deque<driver::Inbound>> blocked_keys_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<driver::Token, std::shared_ptr<Waiter>, TokenHash>
      confirm_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<SenderCore> dead_letter_sender_ ABSL_GUARDED_BY(mu_);
  uint32_t incarnation_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t granted_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t granted_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unsettled_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unsettled_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unconfirmed_ ABSL_GUARDED_BY(mu_) = 0;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool drained_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool close_link_ ABSL_GUARDED_BY(mu_) = false;
  bool link_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Capabilities capabilities_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> sessions_wanted_ ABSL_GUARDED_BY(mu_);
  ReceiverMetrics counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RECEIVER_CORE_H_
