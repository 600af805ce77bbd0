// ReceiverLeg: a receiver at one broker. Grants credit, hands deliveries out
// (to Receive, or to a consumer), queues settlements, retries in place and
// dead-letters by copy where the broker has no such thing, and makes tokens
// stale when their lane or connection is gone.
#ifndef TIELINE_LIB_ENGINE_RECEIVER_LEG_H_
#define TIELINE_LIB_ENGINE_RECEIVER_LEG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/engine/backlog.h"
#include "lib/engine/dead_letter_copier.h"
#include "lib/engine/deduper.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/lane_table.h"
#include "lib/engine/link.h"
#include "lib/engine/settlement_queue.h"
#include "lib/policy/move_events.h"
#include "tieline/driver/driver.h"
#include "tieline/metrics.h"
#include "tieline/receiver.h"

namespace tieline::inline v0 {

// Takes deliveries as they come: all calls in the leg's strand, without locks.
// An incarnation is of one leg.
class DeliveryConsumer {
 public:
  virtual ~DeliveryConsumer() = default;
  // Moves the messages out. Tokens are of `incarnation`. Retries in place come
  // the same way.
  virtual void OnDeliveries(std::span<driver::Inbound> deliveries,
                            uint32_t incarnation) = 0;
  // The lane goes away: forget what was not begun (ReceiverLeg::Forget).
  virtual void OnLaneClosing(driver::Lane lane, uint32_t epoch,
                             uint32_t incarnation) = 0;
  // All tokens of this incarnation are stale.
  virtual void OnLost(uint32_t incarnation) = 0;
};

// Says what is done with a message while its queue moves (docs/move.md). Any
// thread, also under a leg's lock.
class DeliveryGate {
 public:
  virtual ~DeliveryGate() = default;
  // `stamp` is GenerationOf the message.
  virtual Judgement Judge(uint64_t stamp, PlaceId place) = 0;
  // A late one was delivered.
  virtual void OnLate(uint64_t stamp, PlaceId place) = 0;
  // So many came that are judged again later.
  virtual void OnHeld(uint64_t count) = 0;
};

class ReceiverLeg final : public EndpointUser,
                          public driver::ReceiverSink,
                          public DeduperLeg {
 public:
  // `number` tells the legs of a receiver apart.
  ReceiverLeg(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
              ReceiverOptions options,
              DeadLetterCopier::MakeSender make_dead_letter_sender,
              uint8_t number);
  ~ReceiverLeg() override;
  // Once, before it is attached: its consumers get no second copies.
  void Dedupe(std::shared_ptr<Inbox> inbox);

  // From now on deliveries go to `consumer`; null: to Receive again.
  // kFailedPrecondition when there is one.
  absl::Status SetConsumer(std::shared_ptr<DeliveryConsumer> consumer);

  // As Receiver's.
  absl::StatusOr<Delivery> Receive(absl::Duration timeout,
                                   const std::stop_token& stop);
  absl::StatusOr<std::vector<Delivery>> ReceiveBatch(
      size_t max, absl::Duration timeout, const std::stop_token& stop);
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
  // Completes what the application has in hand, under one lock; what is not
  // this receiver's, one by one. The first error.
  absl::Status CompleteAll(std::span<Delivery> deliveries);
  // Completes many of one incarnation; what is stale is counted.
  void CompleteMany(std::span<const driver::Token> tokens,
                    uint32_t incarnation);
  // Settles and waits for the broker's answer.
  absl::Status SettleConfirmed(driver::Inbound& inbound, uint32_t incarnation,
                               driver::Verb verb, absl::Duration timeout,
                               absl::Time* locked_until);
  // The delivery will not be settled: its lane is closing.
  void Forget(const driver::Token& token, uint32_t incarnation);
  // Gives it to the consumer again after a back-off, as one attempt more.
  void RetryLater(driver::Inbound inbound, uint32_t incarnation);
  // Grants no more and asks what was granted back; what still comes is
  // released. Until the next consumer or Receive.
  void Pause();

  // ---- For the move of its queue; any thread.
  // Without credit it is as paused, whoever receives.
  void SetCredit(bool has_credit);
  // From now on the gate judges what comes, and what is held; null: none does.
  void SetGate(std::shared_ptr<DeliveryGate> gate, PlaceId place);
  // The gate may judge otherwise now.
  void JudgeAgain();
  // Nothing is in anybody's hands, and the broker has confirmed what was
  // settled.
  bool IsIdle() const;
  // Threads that wait in Receive return kAborted.
  void LetWaitersGo();
  // Closes the link and leaves the endpoint, behind the caller's back.
  void Leave();
  uint8_t number() const { return number_; }
  // The link is open; else why not, if it is known.
  bool is_open() const { return link_.is_open(); }

  absl::Status Flush(absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);
  absl::Status WaitOpen(absl::Duration timeout);
  absl::StatusOr<std::vector<Delivery>> ReceiveDeferred(
      std::vector<int64_t> positions, absl::Duration timeout);
  absl::Status AcceptSession(std::string session);

  Capabilities capabilities() const { return link_.capabilities(); }
  bool Can(Capability c) const;
  // False when one more failure after `attempts` earlier ones dead-letters.
  bool WouldRetry(uint32_t attempts) const;
  std::string LaneName(driver::Lane lane) const;
  ReceiverMetrics metrics() const;
  const ReceiverOptions& options() const { return options_; }
  const QueueConfig& queue() const { return queue_; }
  Endpoint& endpoint() const { return *endpoint_; }
  absl::Status last_error() const { return link_.last_error(); }
  const std::string& name() const { return link_.name(); }

  // DeduperLeg.
  void CompleteDurable(std::span<const driver::Token> tokens,
                       uint32_t incarnation) override;
  void OnDeduperChange() override;
  void OnOtherBody(std::string_view id) override;
  // EndpointUser.
  void OnUp(driver::Connection* connection) override;
  void OnDown(const absl::Status& why) override;
  absl::Time Pump(absl::Time now) override;
  bool OnInlineWake() override;
  // driver::ReceiverSink.
  void OnOpened(const Capabilities& capabilities) override;
  void OnDeliveries(std::span<driver::Inbound> deliveries) override;
  void OnSettled(std::span<const driver::Settled> settled) override;
  void OnLane(const driver::LaneEvent& event) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& why) override;

 private:
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
  // Counts a thread that waits for something else than deliveries.
  class OtherWaiter {
   public:
    explicit OtherWaiter(ReceiverLeg* core) : core_(core) {
      core_->others_waiting_.fetch_add(1);
    }
    OtherWaiter(const OtherWaiter&) = delete;
    OtherWaiter& operator=(const OtherWaiter&) = delete;
    ~OtherWaiter() { core_->others_waiting_.fetch_sub(1); }

   private:
    ReceiverLeg* const core_;
  };
  // What one Pump has to do.
  struct Work {
    bool closing = false;
    bool paused = false;
    std::shared_ptr<DeliveryConsumer> consumer;
    std::vector<driver::Inbound> ready;  // for the consumer
    uint32_t incarnation = 0;
    // Released, which a consumer had before.
    std::vector<driver::Token> given_up;
    std::vector<std::string> sessions;
    std::vector<LaneTable::Drop> drop;
    uint64_t messages = 0;
    uint64_t bytes = 0;
    absl::Time next = absl::InfiniteFuture();
  };

  // Settling (receiver_leg_settle.cc).
  absl::Status CheckToken(const driver::Token& token, uint32_t incarnation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Stale() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Push(const driver::Token& token, driver::Verb verb,
            std::string_view reason, std::string_view detail)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(driver::Verb verb) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After the lock was left: has what was queued sent soon.
  void Nudge(size_t before, size_t after);
  // Completes, with nothing to be written down before.
  void CompleteNow(std::span<const driver::Token> tokens, uint32_t incarnation);
  absl::Status CompleteOnce(const driver::Token& token, uint32_t incarnation);
  void GiveUp(const driver::Token& token, uint32_t incarnation) {
    if (deduper_ != nullptr) deduper_->GiveUp(token, incarnation);
  }
  bool IsWritingDown() const {
    return deduper_ != nullptr && deduper_->pending() > 0;
  }
  absl::Status DeadLetterByCopy(driver::Inbound& inbound, uint32_t incarnation,
                                std::string_view reason,
                                std::string_view detail);
  void FinishDeadLetter(const SendResult& result, driver::Inbound inbound,
                        uint32_t incarnation);
  void ScheduleRetry(driver::Inbound inbound)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Handing out (receiver_leg_pull.cc).
  template <typename Take>
  absl::Status AwaitReady(absl::Duration timeout, const std::stop_token& stop,
                          Take take);
  void TakeOne(Delivery* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeMany(size_t max, std::vector<Delivery>* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WaitForReady(const Deadline& deadline, const std::stop_token& stop,
                    uint32_t lets_go);
  bool SpinForWake();
  absl::Status ReceiveError() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // In the strand (receiver_leg.cc).
  void OpenLink(absl::Time now);
  void CloseLink();
  Work TakeWork(absl::Time now);
  std::shared_ptr<DeliveryConsumer> TakeReadyFor(
      std::vector<driver::Inbound>* ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Do(const Work& work);
  // Without second copies, and with what waited because of them.
  void HandOver(DeliveryConsumer& consumer,
                std::span<driver::Inbound> deliveries, uint32_t incarnation);
  void ReleaseWaiting();
  void SendSettlements();
  void AskToDrain();
  void DropState(const absl::Status& why);
  bool is_paused() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return paused_ || !has_credit_;
  }
  // What the gate lets through, of what came or was held.
  std::vector<driver::Inbound> PassGate(std::span<driver::Inbound> deliveries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Endpoint> endpoint_;
  const QueueConfig queue_;
  const ReceiverOptions options_;
  const bool ordered_;
  const uint32_t settle_batch_;
  const uint8_t number_;
  Link link_;
  DeadLetterCopier dead_letters_;
  std::shared_ptr<Deduper> deduper_;  // null: second copies are delivered

  // In the strand.
  std::unique_ptr<driver::ReceiverDriver> driver_;
  bool drain_asked_ = false;
  bool refused_ = false;  // the link lacks what is needed
  SettlementQueue sending_;

  std::atomic<bool> leaves_{false};
  std::atomic<uint32_t> lets_go_{0};  // LetWaitersGo's calls
  std::atomic<uint64_t> capability_bits_;
  // Threads that wait for something else than deliveries.
  std::atomic<int> others_waiting_{0};
  // Where the driver runs inline: a thread asked by Receive and will ask again,
  // so that nobody else need look for what came, unless others wait.
  std::atomic<bool> pulled_{false};
  std::atomic<bool> inline_wake_{false};
  std::atomic<int> spinning_{0};

  mutable Mutex mu_;
  Condition cv_;
  std::shared_ptr<DeliveryConsumer> consumer_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<DeliveryGate> gate_ ABSL_GUARDED_BY(mu_);
  PlaceId place_ ABSL_GUARDED_BY(mu_) = 0;
  // Not to be delivered yet, in order; nothing of the leg passes them.
  std::deque<driver::Inbound> held_ ABSL_GUARDED_BY(mu_);
  Backlog backlog_ ABSL_GUARDED_BY(mu_);
  LaneTable lanes_ ABSL_GUARDED_BY(mu_);
  SettlementQueue settling_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<driver::Token, std::shared_ptr<Waiter>, TokenHash>
      confirm_ ABSL_GUARDED_BY(mu_);
  uint64_t unconfirmed_ ABSL_GUARDED_BY(mu_) = 0;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool has_credit_ ABSL_GUARDED_BY(mu_) = true;
  bool drained_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> sessions_wanted_ ABSL_GUARDED_BY(mu_);
  ReceiverMetrics counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RECEIVER_LEG_H_
