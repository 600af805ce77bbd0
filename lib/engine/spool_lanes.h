// SpoolLanes: which parts of the spool are whose.
//
// A sender of a queue has a lane of the spool to itself, so that what it spools
// keeps its order. A lane outlives its sender: what is left in it is sent by
// the queue's other senders, or by the next one. Where messages are retained it
// has a second lane for those, and a third that says which of them are being
// sent again.
//
// Threads: any.
#ifndef TIELINE_LIB_ENGINE_SPOOL_LANES_H_
#define TIELINE_LIB_ENGINE_SPOOL_LANES_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/store/store.h"

namespace tieline::inline v0 {

class SpoolLanes : public std::enable_shared_from_this<SpoolLanes> {
 public:
  // What a sender has of the spool, for as long as it is there.
  class Claim {
   public:
    ~Claim();
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    Store* store() const { return lanes_->store_; }
    QueueId own() const { return own_; }
    // Takes what is retained; only with Uses::retains.
    QueueId retained() const { return retained_; }
    // Takes what says that they are sent again; the same.
    QueueId replays() const { return replays_; }
    // Takes what a broker refuses for good.
    QueueId rejected() const { return rejected_; }
    // Is called when TakeLeft may find something; on any thread.
    void SetWake(std::function<void()> wake);
    // True once after that.
    bool WasWoken() { return woken_.exchange(false); }
    // Lanes of this queue that have messages and no sender: from here on they
    // are this one's.
    std::vector<QueueId> TakeLeft();
    // The same of what is retained, and of replays.
    std::vector<QueueId> TakeLeftRetained();
    std::vector<QueueId> TakeLeftReplays();
    // This one sends what comes before anything that the queue's senders have
    // in hand; the others wait, and are woken when it is through.
    void SetAhead(bool ahead);
    bool IsBehind() const { return !ahead_ && senders_ahead_->load() > 0; }

   private:
    friend class SpoolLanes;
    Claim(std::shared_ptr<SpoolLanes> lanes, std::string queue,
          std::shared_ptr<std::atomic<int>> senders_ahead)
        : lanes_(std::move(lanes)),
          queue_(std::move(queue)),
          senders_ahead_(std::move(senders_ahead)) {}

    std::vector<QueueId> TakeLeft(const std::string& prefix);
    void WakeOthers(bool to_take_left);

    const std::shared_ptr<SpoolLanes> lanes_;
    const std::string queue_;
    // Of all senders of the queue.
    const std::shared_ptr<std::atomic<int>> senders_ahead_;
    bool ahead_ = false;
    QueueId own_{};
    QueueId retained_{};
    QueueId replays_{};
    QueueId rejected_{};
    std::atomic<bool> woken_{true};
    // Guarded by lanes_->mu_.
    std::vector<std::string> names_;
    std::function<void()> wake_;
  };

  // The store outlives all senders.
  explicit SpoolLanes(Store* store) : store_(store) {}

  // The names that the lanes of a queue have in the store.
  static std::string LaneName(std::string_view queue, int number);
  static std::string RejectedName(std::string_view queue);
  static bool IsLaneOf(std::string_view name, std::string_view queue);

  // What a sender wants of it.
  struct Uses {
    bool spools = false;
    bool sends_left = false;  // what other senders left in their lanes
    bool retains = false;
  };
  // For a new sender. Null where it wants nothing that is there. What is
  // retained and not wanted any more is dropped. Errors as of Store::AddQueue.
  absl::StatusOr<std::unique_ptr<Claim>> Take(const std::string& queue,
                                              const Uses& uses);

 private:
  // The first name of this kind that nobody has.
  std::string TakeName(const std::string& prefix, Claim* claim)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasMessages(const std::string& queue) const;
  void DropRetained(const std::string& queue) const;

  Store* const store_;
  Mutex mu_;
  std::set<std::string> taken_ ABSL_GUARDED_BY(mu_);
  std::set<Claim*> claims_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<std::atomic<int>>> senders_ahead_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SPOOL_LANES_H_
