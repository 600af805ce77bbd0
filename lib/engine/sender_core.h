// SenderCore: what is behind a Sender. Takes batches, submits them to the
// driver within the window, keeps order per key, re-sends what was not taken
// or is in doubt until its deadline, and gives each message one final result.
#ifndef TIELINE_LIB_ENGINE_SENDER_CORE_H_
#define TIELINE_LIB_ENGINE_SENDER_CORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/engine/endpoint.h"
#include "lib/engine/send_batch.h"
#include "lib/policy/backoff.h"
#include "lib/policy/key_window.h"
#include "lib/policy/retry_budget.h"
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
  // For observers that count for themselves: no bound on what is pending.
  // kFailedPrecondition.
  absl::Status GiveUnbounded(SendBatchState* batch, absl::Duration timeout);
  void StampIds(SendBatchState* batch);

  void Poke() { endpoint_->Poke(); }
  absl::Status Flush(absl::Duration timeout);
  absl::Status Close(absl::Duration timeout);
  absl::Status WaitOpen(absl::Duration timeout);
  Capabilities capabilities() const;
  SenderMetrics metrics() const;
  const SenderOptions& options() const { return options_; }
  const QueueConfig& queue() const { return queue_; }
  Endpoint& endpoint() const { return *endpoint_; }
  absl::Status last_error() const;

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
  enum class Link { kDown, kOpening, kOpen, kClosing, kClosed };

  void Enqueue(SendBatchState* batch, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom(const SendBatchState& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // In the strand.
  void TakeIncoming();
  void OpenLink(absl::Time now);
  void FillReady();
  void Submit(absl::Time now);
  bool TakeResends(absl::Time now);
  void Expire(absl::Time now);
  void CancelAll();
  void FailPermanently(const absl::Status& why);
  void OnOutcome(const driver::Outcome& outcome);
  bool WillRetryRejected(SendResult& result, const driver::Outcome& outcome);
  void Resend(SendResult& result, const driver::Outcome& outcome);
  void Resolve(SendResult& result, SendState state, absl::Status status);
  void LeaveKey(SendResult& result);
  void Drop(SendResult& result);  // no queue points to it any more
  void Hold(SendBatchState* batch);
  void LetGo(SendBatchState* batch);
  void PurgeResolved();
  void ReleaseAll();
  void FinishBatch(SendBatchState* batch);
  void CallBack(SendBatchState* batch);
  void SettleCounts();
  void EndTurn();
  void SetError(const absl::Status& error);
  std::string Name() const;
  static uint64_t KeyHash(const SendResult& result);
  static bool Before(const SendResult* a, const SendResult* b);

  const std::shared_ptr<Endpoint> endpoint_;
  const QueueConfig queue_;
  const SenderOptions options_;
  const std::string producer_;
  const bool ordered_;
  std::atomic<uint64_t> next_id_{0};

  // In the strand.
  Link link_ = Link::kDown;
  driver::Connection* connection_ = nullptr;
  std::unique_ptr<driver::SenderDriver> driver_;
  bool keyed_ = false;  // at most one unresolved a key
  bool blocked_ = false;
  SendBatchState* newest_ = nullptr;  // all that are held
  std::deque<SendBatchState*> queue_batches_;
  std::deque<SendResult*> ready_;     // next to be submitted, in order
  std::vector<SendResult*> resends_;  // by order of first submission
  KeyWindow<SendResult*> window_;
  std::multimap<absl::Time, SendBatchState*> deadlines_;
  std::vector<driver::Outbound> scratch_;
  uint32_t in_flight_ = 0;
  absl::Time resend_at_ = absl::InfinitePast();
  Backoff backoff_;
  RetryBudget budget_;
  Backoff open_backoff_;
  absl::Time open_at_ = absl::InfinitePast();
  // Why nothing can be sent until the link opens again; permanent, or OK.
  absl::Status refused_;
  SendObserver* turn_observer_ = nullptr;
  // Observed batches that are done: they keep their observer until it was told
  // of the turn's end.
  std::vector<SendBatchState*> done_;
  uint32_t resolved_now_ = 0;
  uint64_t resolved_bytes_now_ = 0;
  std::vector<SendBatchState*> finished_;  // blocking calls to wake
  SenderMetrics turn_counts_;

  mutable Mutex mu_;
  Condition room_cv_;
  std::vector<SendBatchState*> incoming_ ABSL_GUARDED_BY(mu_);
  uint64_t pending_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool cancel_ ABSL_GUARDED_BY(mu_) = false;
  bool close_link_ ABSL_GUARDED_BY(mu_) = false;
  bool link_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Capabilities capabilities_ ABSL_GUARDED_BY(mu_);
  SenderMetrics counts_ ABSL_GUARDED_BY(mu_);
};

// True for errors that trying again soon won't mend.
bool IsPermanent(const absl::Status& status);
// kFailedPrecondition on a runner's thread, where nothing may block.
absl::Status CheckMayBlock(const Endpoint& endpoint);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SENDER_CORE_H_
