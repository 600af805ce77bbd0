// ProcessorCore: handler threads on a receiver, with order per key.
//
// Per key: `busy` while a message of the key runs or waits to be retried in
// place; what comes behind it waits in the key's queue.
#ifndef TIELINE_LIB_ENGINE_PROCESSOR_CORE_H_
#define TIELINE_LIB_ENGINE_PROCESSOR_CORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lib/base/mutex.h"
#include "lib/engine/receiver_core.h"
#include "tieline/processor.h"

namespace tieline::inline v0 {

class ProcessorCore final : public DeliveryConsumer,
                            public std::enable_shared_from_this<ProcessorCore> {
 public:
  ProcessorCore(std::shared_ptr<ReceiverCore> receiver,
                ProcessorOptions options, Handler handler);
  ~ProcessorCore() override;

  void Start();
  absl::Status Stop(absl::Duration timeout);
  // After Stop: waits for handlers that ran past its deadline.
  void Join();
  ProcessorCounts counts() const;

  void OnDeliveries(std::span<driver::Inbound> deliveries,
                    uint32_t incarnation) override;
  void OnLaneClosing(driver::Lane lane, uint32_t epoch,
                     uint32_t incarnation) override;
  void OnLost(uint32_t incarnation) override;

 private:
  struct Item {
    driver::Inbound inbound;
    uint32_t incarnation = 0;
    uint64_t key = 0;
    bool keyed = false;
  };
  struct KeyState {
    // The message that runs, is next to run, or (retrying) waits for its retry.
    driver::Token owner;
    uint32_t incarnation = 0;
    bool retrying = false;
    std::deque<Item> behind;
  };
  struct Leaving {
    uint64_t key = 0;
    driver::Token owner;
    uint32_t incarnation = 0;
  };

  void Work();
  void RunOne(Item item);
  absl::Status CallHandler(Delivery& delivery);
  void AdmitAll(std::span<driver::Inbound> deliveries, uint32_t incarnation,
                std::vector<Item>* late) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Admit(Item item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveKey(const Leaving& who) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of the incarnation, those that are `gone`.
  void ForgetQueued(uint32_t incarnation,
                    const std::function<bool(const driver::Token&)>& gone)
      ABSL_LOCKS_EXCLUDED(mu_);

  const std::shared_ptr<ReceiverCore> receiver_;
  const ProcessorOptions options_;
  const Handler handler_;
  std::vector<std::thread> threads_;

  mutable Mutex mu_;
  Condition cv_;
  std::deque<Item> runnable_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, KeyState> keys_ ABSL_GUARDED_BY(mu_);
  ProcessorCounts counts_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::atomic<bool> started_{false};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_PROCESSOR_CORE_H_
