// StoreRunner: writes the store on the runner, for a bus whose host runs it.
#ifndef TIELINE_LIB_ENGINE_STORE_RUNNER_H_
#define TIELINE_LIB_ENGINE_STORE_RUNNER_H_

#include <atomic>

#include "absl/time/time.h"
#include "lib/engine/runner.h"
#include "lib/store/store.h"

namespace tieline::inline v0 {

// The runner outlives it. Threads: any.
class StoreRunner final : public Runnable {
 public:
  explicit StoreRunner(Runner* runner) : runner_(runner) {}

  // `store` lives until the runner has ended.
  void Begin(Store* store) { store_.store(store); }
  // There is something to write: StoreOptions::on_work.
  void Wake() { runner_->Schedule(this); }

  void RunFromRunner(absl::Time) override {
    Store* store = store_.load();
    if (store == nullptr) return;
    store->RunOnce();
    // What its callbacks submitted is for the next round: others come first.
    const absl::Time next = store->NextRun();
    if (next == absl::InfinitePast()) {
      Wake();
    } else if (next != absl::InfiniteFuture()) {
      runner_->ScheduleAt(this, next);
    }
  }
  // Store::Close writes what is left.
  void RunTooLate() override {}

 private:
  Runner* const runner_;
  std::atomic<Store*> store_{nullptr};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_STORE_RUNNER_H_
