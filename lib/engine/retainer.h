// Retainer: keeps what a broker accepted of a sender's messages on disk, for
// some time, so that they can be sent again when that broker is lost.
//
// They are in lanes of the spool of their own, in the order in which they were
// accepted. Nobody waits for the disk: what is not written when the process is
// killed is not kept, and where the disk takes nothing, nothing is. Where it is
// slow, the sender waits.
//
// Threads: in the strand of the sender's home.
#ifndef TIELINE_LIB_ENGINE_RETAINER_H_
#define TIELINE_LIB_ENGINE_RETAINER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/engine/send_queue.h"
#include "lib/engine/spool_lanes.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

struct RetainerOptions {
  std::string queue;
  absl::Duration keep_for;
  // What is retained goes when the spool, with all that is in it, is larger.
  int64_t most_bytes = 0;
  Clock* clock = nullptr;
  // Has Pump called; on any thread.
  std::function<void()> wake;
  std::function<void(const std::string& text)> log;
};

class Retainer final : public SendKeeper {
 public:
  // `claim` outlives it.
  Retainer(SpoolLanes::Claim* claim, RetainerOptions options);
  // What is there already; it is kept for as long as if it were new.
  absl::Status Open();
  // Lanes that senders left which are gone, too.
  void TakeLeft();

  void Keep(const SendResult& result) override;
  // The sender is closed: what was kept last is still written.
  void Close();
  // Writes what was kept, and drops what is old.
  void Pump(absl::Time now);
  absl::Time Next() const { return next_; }
  // The oldest go, of so many bytes: the spool is full.
  void MakeRoom(int64_t bytes) { wanted_room_ = bytes; }
  bool has_work() const;
  // It does not lag behind too far.
  bool lets_submit() const;
  // What can be written is.
  bool is_written() const { return parts_.empty() && !writes_; }
  // The present sender's is the first.
  std::vector<QueueId> lanes() const;
  // On any thread.
  uint64_t count() const;

 private:
  // Neighbours in a lane, and when they go.
  struct Run {
    uint64_t last = 0;
    absl::Time began;  // steady
    int64_t bytes = 0;
  };
  struct Lane {
    QueueId id{};
    std::deque<Run> runs;
    uint64_t trims = 0;  // on the way: through this one
  };
  // Written together.
  struct Part {
    absl::Time since;  // steady
    StoreBatch batch;
    uint64_t count = 0;
  };
  struct Answer {
    bool of_trims = false;
    absl::StatusOr<StoreCommitted> result;
  };
  // What the store's thread has for the strand.
  struct Mail {
    Mutex mu;
    std::vector<Answer> answers ABSL_GUARDED_BY(mu);
    std::function<void()> wake;
  };

  absl::Status AddLane(QueueId id);
  void TakeAnswers();
  void OnWritten(const absl::StatusOr<StoreCommitted>& result);
  void OnTrimmed(const absl::Status& status);
  void Write();
  // What is old, and what has to go before `comes` bytes are written. By
  // itself: that those are refused does not undo it.
  void Trim(int64_t comes);
  // Trims of runs that are old or `excess`, in bytes, and of what is owed.
  StoreBatch TakeOldest(int64_t excess);
  void Submit(StoreBatch batch, bool of_trims);

  SpoolLanes::Claim* const claim_;
  const RetainerOptions options_;
  const std::shared_ptr<Mail> mail_;

  absl::Time now_;
  absl::Time next_ = absl::InfiniteFuture();
  const int64_t part_bytes_;
  std::deque<Part> parts_;  // they wait
  int64_t waiting_bytes_ = 0;
  bool writes_ = false;
  uint64_t writing_ = 0;  // messages
  int64_t writing_bytes_ = 0;
  bool trims_ = false;
  bool owes_trim_ = false;  // one failed
  absl::Time retry_at_ = absl::InfinitePast();
  int64_t wanted_room_ = 0;
  uint64_t lost_ = 0;  // in a row, not written
  std::string bytes_;

  mutable Mutex mu_;
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_RETAINER_H_
