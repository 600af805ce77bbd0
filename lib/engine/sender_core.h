// SenderCore: what is behind a Sender. Takes batches within the bounds, opens
// the link and has the SendQueue submit to it, and counts.
#ifndef TIELINE_LIB_ENGINE_SENDER_CORE_H_
#define TIELINE_LIB_ENGINE_SENDER_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/deadline.h"
#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/flush_groups.h"
#include "lib/engine/link.h"
#include "lib/engine/send_batch.h"
#include "lib/engine/send_queue.h"
#include "tieline/driver/driver.h"
#include "tieline/metrics.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

class SenderCore final : public EndpointUser, public driver::SenderSink {
 public:
  // `producer` is the prefix of the ids that it stamps.
  SenderCore(std::shared_ptr<Endpoint> endpoint, QueueConfig queue,
             SenderOptions options, std::string producer);
  ~SenderCore() override;

  // Gives a batch to the sender; takes over one of its two references, on
  // success. kResourceExhausted, kFailedPrecondition.
  absl::Status Give(SendBatchState* batch, absl::Duration timeout);
  // The same, waiting for room until the batch's deadline.
  absl::Status GiveWaiting(SendBatchState* batch, absl::Duration timeout);
  // For observers that count for themselves: no bound on what is pending, and
  // submitted at once where this thread may. kFailedPrecondition.
  absl::Status GiveUnbounded(SendBatchState* batch, absl::Duration timeout);
  void StampIds(SendBatchState* batch);

  void Poke() { endpoint_->Poke(); }
  absl::Status Flush(absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);
  absl::Status WaitOpen(absl::Duration timeout) {
    return link_.WaitOpen(timeout);
  }
  Capabilities capabilities() const { return link_.capabilities(); }
  SenderMetrics metrics() const;
  const SenderOptions& options() const { return options_; }
  const QueueConfig& queue() const { return queue_; }
  Endpoint& endpoint() const { return *endpoint_; }
  absl::Status last_error() const { return link_.last_error(); }

  // EndpointUser.
  void OnUp(driver::Connection* connection) override;
  void OnDown(const absl::Status& why) override;
  absl::Time Pump(absl::Time now) override;
  // driver::SenderSink.
  void OnOpened(const Capabilities& capabilities) override;
  void OnSendable() override;
  void OnOutcomes(std::span<const driver::Outcome> outcomes) override;
  void OnClosed(const absl::Status& why) override;

 private:
  void Enqueue(SendBatchState* batch, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom(const SendBatchState& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WaitPassed(uint64_t mark, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);
  // In the strand.
  void TakeIncoming();
  void OpenLink(absl::Time now);
  void CloseLink();
  void EndTurn();

  const std::shared_ptr<Endpoint> endpoint_;
  const QueueConfig queue_;
  const SenderOptions options_;
  const std::string producer_;
  Link link_;
  std::atomic<uint64_t> next_id_{0};

  // In the strand.
  std::unique_ptr<driver::SenderDriver> driver_;
  SendQueue in_hand_;
  std::vector<SendBatchState*> taking_;
  // Why nothing can be sent until the link opens again; permanent, or OK.
  absl::Status refused_;

  mutable Mutex mu_;
  Condition room_cv_;
  std::vector<SendBatchState*> incoming_ ABSL_GUARDED_BY(mu_);
  uint64_t pending_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  FlushGroups flush_groups_ ABSL_GUARDED_BY(mu_);
  SenderMetrics counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SENDER_CORE_H_
