// ReceiverCore: what is behind a Receiver, a Processor and a Route's source: a
// leg (ReceiverLeg) at the broker where the queue is, and, while the queue
// moves, others at brokers that are to be drained or still listened to.
//
// A delivery belongs to a leg. Its incarnation says which, so that consumers
// keep no more than that.
//
// Threads: any.
#ifndef TIELINE_LIB_ENGINE_RECEIVER_CORE_H_
#define TIELINE_LIB_ENGINE_RECEIVER_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/engine/receiver_leg.h"

namespace tieline::inline v0 {

class ReceiverCore final : public std::enable_shared_from_this<ReceiverCore> {
 public:
  // The first leg; it is not attached yet.
  explicit ReceiverCore(std::shared_ptr<ReceiverLeg> first);
  // Once, after it was made.
  void Attach();

  // As ReceiverLeg's, for all legs.
  absl::Status SetConsumer(const std::shared_ptr<DeliveryConsumer>& consumer);
  void Pause();
  absl::Status Flush(absl::Duration timeout) const;
  absl::Status Close(absl::Duration timeout);

  // From whichever leg has something.
  absl::StatusOr<Delivery> Receive(absl::Duration timeout,
                                   const std::stop_token& stop);
  absl::StatusOr<std::vector<Delivery>> ReceiveBatch(
      size_t max, absl::Duration timeout, const std::stop_token& stop);
  absl::Status CompleteAll(std::span<Delivery> deliveries) const;

  // Of the leg that the incarnation is of; kAborted where it is gone.
  Delivery MakeDelivery(driver::Inbound inbound, uint32_t incarnation);
  absl::Status Settle(driver::Inbound& inbound, uint32_t incarnation,
                      driver::Verb verb, std::string_view reason,
                      std::string_view detail);
  void CompleteMany(std::span<const driver::Token> tokens,
                    uint32_t incarnation);
  void Forget(const driver::Token& token, uint32_t incarnation);
  void RetryLater(driver::Inbound inbound, uint32_t incarnation);

  // Of the leg where the queue is.
  absl::Status WaitOpen(absl::Duration timeout) const {
    return home()->WaitOpen(timeout);
  }
  absl::StatusOr<std::vector<Delivery>> ReceiveDeferred(
      std::vector<int64_t> positions, absl::Duration timeout) const {
    return home()->ReceiveDeferred(std::move(positions), timeout);
  }
  absl::Status AcceptSession(std::string session) const {
    return home()->AcceptSession(std::move(session));
  }
  Capabilities capabilities() const { return home()->capabilities(); }
  absl::Status last_error() const { return home()->last_error(); }
  std::string name() const { return home()->name(); }
  ReceiverMetrics metrics() const;
  std::shared_ptr<ReceiverLeg> home() const;
  // Has what waits for the leg's thread done: the legs' endpoints are poked.
  void Poke();

  bool WouldRetry(uint32_t attempts) const {
    return first_->WouldRetry(attempts);
  }
  const ReceiverOptions& options() const { return first_->options(); }
  // As it was opened: a move changes the broker and the entity.
  const QueueConfig& queue() const { return first_->queue(); }
  Clock* clock() const { return first_->endpoint().clock(); }
  void Log(LogLevel level, std::string_view text) const {
    home()->endpoint().Log(level, text);
  }
  // kFailedPrecondition on the runner's thread.
  absl::Status CheckMayBlock() const {
    return tieline::v0::CheckMayBlock(first_->endpoint());
  }

  // ---- For the move of its queue.
  // A number for a leg, which no other has now.
  uint8_t NextNumber();
  // Adds a leg, paused, and attaches it; null when the receiver is closed.
  bool AddLeg(const std::shared_ptr<ReceiverLeg>& leg);
  // The leg where the queue is now.
  void SetHome(const std::shared_ptr<ReceiverLeg>& leg);
  // The leg closes and leaves by itself.
  void DropLeg(const std::shared_ptr<ReceiverLeg>& leg);
  std::vector<std::shared_ptr<ReceiverLeg>> legs() const;
  bool closed() const;

 private:
  std::shared_ptr<ReceiverLeg> LegOf(uint32_t incarnation) const;
  template <typename Take>
  auto FromAnyLeg(absl::Duration timeout, const std::stop_token& stop,
                  Take take);

  // Never another; where the queue never moved it is the only one.
  const std::shared_ptr<ReceiverLeg> first_;
  std::atomic<bool> moved_{false};

  mutable Mutex mu_;
  std::shared_ptr<ReceiverLeg> home_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<ReceiverLeg>> legs_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<DeliveryConsumer> consumer_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint8_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  // Of legs that are gone.
  ReceiverMetrics gone_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RECEIVER_CORE_H_
