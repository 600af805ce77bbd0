// RouteCore: a route at work. Deliveries of the source become sends to the
// destination; a source message is completed after the destination accepted.
//
// Threads: OnDeliveries, OnLaneClosing and OnLost in the source's strand; the
// SendObserver calls in the destination's. They share what mu_ guards.
#ifndef TIELINE_LIB_ENGINE_ROUTE_CORE_H_
#define TIELINE_LIB_ENGINE_ROUTE_CORE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lib/base/mutex.h"
#include "lib/engine/receiver_core.h"
#include "lib/engine/sender_core.h"
#include "tieline/config.h"
#include "tieline/metrics.h"
#include "tieline/route.h"

namespace tieline::inline v0 {

class RouteCore final : public DeliveryConsumer,
                        public SendObserver,
                        public std::enable_shared_from_this<RouteCore> {
 public:
  RouteCore(RouteConfig config, std::shared_ptr<ReceiverCore> source,
            std::shared_ptr<SenderCore> destination, Transform transform);
  ~RouteCore() override;

  absl::Status Start();
  absl::Status Stop(absl::Duration timeout);
  RouteMetrics metrics() const;
  absl::Status health() const;

  void OnDeliveries(std::span<driver::Inbound> deliveries,
                    uint32_t incarnation) override;
  void OnLaneClosing(driver::Lane lane, uint32_t epoch,
                     uint32_t incarnation) override;
  void OnLost(uint32_t incarnation) override;

  void OnResolved(SendBatchState& batch, SendResult& result) override;
  bool OnRejected(SendBatchState& batch, SendResult& result,
                  const absl::Status& why) override;
  void OnSubmitted(SendBatchState& batch, SendResult& result) override;
  void OnTurnEnd() override;

 private:
  struct Item {
    driver::Token token;
    uint32_t incarnation = 0;
    uint32_t failures = 0;
    Message original;  // where steps or a transform may have changed it
  };
  // What was delivered together.
  class Batch final : public SendBatchState {
   public:
    Batch(std::vector<Message> messages, std::vector<Item> with)
        : SendBatchState(messages), items(std::move(with)) {}
    std::vector<Item> items;
    absl::Time delivered_at;
    std::shared_ptr<RouteCore> route;  // keeps its observer
  };
  struct Outgoing {
    std::vector<Message> messages;
    std::vector<Item> items;
    std::vector<Item> dropped;
  };
  struct DeadLetter {
    driver::Inbound inbound;
    uint32_t incarnation = 0;
    std::string reason;
    std::string detail;
  };

  struct Retry {
    driver::Inbound inbound;
    uint32_t incarnation = 0;
  };

  // False when it is being stopped: nothing was taken.
  bool HandOver(std::span<driver::Inbound> deliveries, uint32_t incarnation,
                absl::Time delivered_at);
  void Admit(driver::Inbound inbound, uint32_t incarnation, Outgoing* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Verdict> Change(Message& message);
  bool Prepare(driver::Inbound& inbound, uint32_t incarnation, Outgoing* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsBlocked(const driver::Inbound& inbound, uint32_t incarnation,
                 uint64_t* key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnFailure(driver::Inbound& inbound, uint32_t incarnation,
                 const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unblock(uint64_t key, Outgoing* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CompleteDropped(const std::vector<Item>& dropped);
  void Send(Outgoing out, absl::Time delivered_at);
  void RunDeferredWork();
  absl::Time Now(const SendBatchState* batch, size_t index);

  const RouteConfig config_;
  const std::shared_ptr<ReceiverCore> source_;
  const std::shared_ptr<SenderCore> destination_;
  const Transform transform_;
  const bool changes_;
  const bool ordered_;

  // In the destination's strand.
  std::vector<driver::Token> completes_;
  uint32_t completes_incarnation_ = 0;
  std::vector<DeadLetter> dead_letters_;
  RouteMetrics turn_;
  uint64_t turn_resolved_ = 0;
  absl::Time cached_now_;
  const SendBatchState* cached_for_ = nullptr;

  mutable Mutex mu_;
  Condition cv_;
  RouteMetrics metrics_ ABSL_GUARDED_BY(mu_);
  uint64_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status last_failure_ ABSL_GUARDED_BY(mu_);
  // Messages whose transform failed, by delivery, and the keys that wait for
  // them.
  struct Failures {
    driver::Token token;
    uint32_t incarnation = 0;
    uint32_t count = 0;
  };
  absl::flat_hash_map<uint64_t, Failures> failures_ ABSL_GUARDED_BY(mu_);
  // All of one leg: what is late is not held back by newer messages of its key,
  // nor they by it.
  struct Blocked {
    driver::Token first;
    uint32_t incarnation = 0;
    std::deque<driver::Inbound> behind;
  };
  absl::flat_hash_map<uint64_t, Blocked> blocked_ ABSL_GUARDED_BY(mu_);
  std::vector<Retry> retry_later_ ABSL_GUARDED_BY(mu_);
  std::vector<uint64_t> expired_keys_ ABSL_GUARDED_BY(mu_);
  std::vector<DeadLetter> failed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_ROUTE_CORE_H_
