// SenderSpool: what stands before a sender's SendQueue where messages may go to
// disk.
//
// While brokers take messages it does nothing. When none was taken for some
// time, everything without a result is written to the sender's lane of the
// spool, in order, and so is what comes after it. When a broker takes messages
// again, the lane is read and sent, and what came meanwhile goes behind it.
//
//   the SendQueue's  <  the lane's  <  those that wait here
//
// is the order at any time. What a driver has when it is written is in doubt:
// nothing is read from the lane before it has an outcome.
//
// What is retained (retainer.h) comes before all of that, when it is to be sent
// again: the SendQueue's is put aside until brokers have it.
//
// Threads: in the strand of the sender's home.
#ifndef TIELINE_LIB_ENGINE_SENDER_SPOOL_H_
#define TIELINE_LIB_ENGINE_SENDER_SPOOL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/ring.h"
#include "lib/engine/retainer.h"
#include "lib/engine/send_batch.h"
#include "lib/engine/send_queue.h"
#include "lib/engine/spool_entry.h"
#include "lib/engine/spool_lanes.h"

namespace tieline::inline v0 {

struct SenderSpoolOptions {
  std::string queue;
  // Without an answer of a broker for so long, messages are written. Infinite:
  // nothing is, what is in the lane is sent.
  absl::Duration after;
  // Zero: nothing is retained; `most_retained` as RetainerOptions::most_bytes.
  absl::Duration retain;
  int64_t most_retained = 0;
  Clock* clock = nullptr;
  // Has Pump called; on any thread.
  std::function<void()> wake;
  std::function<void(const std::string& text)> log;
  // An entry of the journal.
  std::function<void(const std::string& json)> journal;
};

class SenderSpool final : public SendObserver {
 public:
  // `in_hand` outlives it, or its Forget.
  SenderSpool(std::unique_ptr<SpoolLanes::Claim> claim,
              SenderSpoolOptions options, SendQueue* in_hand);
  ~SenderSpool();
  // What is in the lanes. Before anything else.
  absl::Status Open();
  // Higher than the sequence of any batch in the lanes.
  uint64_t next_sequence() const { return next_sequence_; }

  // Takes the sender's reference over.
  void Add(SendBatchState* batch);
  // Goes on as far as it can. `may_submit`: the link is open, and nothing holds
  // the sender.
  void Pump(absl::Time now, bool may_submit);
  // Messages of the SendQueue may be submitted.
  bool lets_submit() const {
    return begun_.empty() && !(asked_replay_ && asked_replay_->in_order) &&
           !claim_->IsBehind() &&
           (retainer_ == nullptr || retainer_->lets_submit());
  }
  // What is retained and was sent in generation `until` or before is sent
  // again. `in_order`: before all that has no result, and to be called before
  // anything newer was sent to the same broker. Otherwise beside the rest, with
  // the stamps that it had.
  void Replay(uint64_t until, bool in_order);
  // Messages are written and not submitted.
  bool spooling() const { return spooling_; }
  // Before the SendQueue's turn is cleared.
  void OnTurn(const SendQueue::Turn& turn);
  // Pump has something to do that no deadline says.
  bool has_work() const;
  // When Pump has something to do; infinite: when something happens.
  absl::Time Next() const { return next_; }
  // Why nothing can be written; OK otherwise.
  const absl::Status& disk() const { return disk_; }
  // All that the SendQueue holds is about to be let go.
  void Forget();
  // On any thread.
  uint64_t in_spool() const { return in_spool_.load(); }
  uint64_t retained() const { return retainer_ ? retainer_->count() : 0; }
  // Messages sent again and accepted, since the last call.
  uint64_t TakeReplayed() { return replayed_.exchange(0); }

  // SendObserver, of what was read from the lanes.
  void OnResolved(SendBatchState& batch, SendResult& result) override;
  bool OnRejected(SendBatchState& batch, SendResult& result,
                  const absl::Status& why) override;
  void OnSubmitted(SendBatchState& batch, SendResult& result) override;
  void OnTurnEnd() override {}

 private:
  struct Lane {
    QueueId id{};
    uint64_t trimmed = 0;
    uint64_t next = 1;  // to be read
    uint64_t last = 0;
    absl::flat_hash_set<uint64_t> done;  // above `trimmed`
    bool trims = false;                  // a trim is on its way
    bool owes_trim = false;              // one failed
    bool retained = false;
  };
  struct Unanswered {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  struct Replaying {
    uint64_t until = 0;
    bool in_order = false;
  };
  struct Stored {
    uint64_t number = 0;
    uint64_t bytes = 0;
  };
  // Of what was read: messages that were neighbours in one batch when they were
  // given.
  class Batch final : public SendBatchState {
   public:
    struct From {
      size_t lane = 0;
      uint64_t sequence = 0;
      uint64_t first_index = 0;
    };
    Batch(const From& from, std::span<Message> messages,
          std::vector<Stored> with);

    const size_t lane;
    const std::vector<Stored> stored;  // one a message
  };
  struct Refused {
    size_t lane = 0;
    uint64_t number = 0;
    std::string id;
    std::string bytes;
    std::string why;
  };
  enum class What : uint8_t { kWritten, kTrimmed, kRefused };
  struct Completion {
    What what;
    size_t lane = 0;
    absl::StatusOr<StoreCommitted> result;
  };
  // What the store's thread has for the strand.
  struct Mail {
    Mutex mu;
    std::vector<Completion> items ABSL_GUARDED_BY(mu);
    std::function<void()> wake;
  };

  void WatchForStall();
  void WakeAt(absl::Time at);
  void Begin();
  void End();
  // An entry of the journal; `refused`: the message that it is about.
  void Tell(const char* step, const Refused* refused = nullptr);
  void NoteDisk(const absl::Status& why);
  void Submit(What what, size_t lane, StoreBatch batch);
  void TakeCompletions();

  void Write();
  void FillFromBegun(StoreBatch* batch);
  void FillFromWaiting(StoreBatch* batch);
  bool Writable(SendResult& result);
  void Encode(const SendResult& result, StoreBatch* batch);
  void OnWritten(const StoreCommitted& result);
  void OnWriteFailed(const absl::Status& why);
  void OnSpooled(SendResult* result, uint64_t number);
  void DropExpiredWaiting();

  // sender_spool_replay.cc
  void WorkReplay();
  void BeginReplay();
  void EndReplay();
  // A replay that was begun is gone on with after a restart.
  void FindReplays();
  void NoteReplay();
  bool IsReplayed() const;
  // It has messages that come before all that the queue's senders have.
  bool IsAhead() const;

  // sender_spool_read.cc
  static bool IsRead(const Lane& lane) { return lane.next > lane.last; }
  absl::Status AddLane(QueueId id);
  void NoteSequence(QueueId id, const Store::SpoolRange& range);
  Unanswered& UnansweredOf(const Lane& lane) {
    return lane.retained ? replay_unanswered_ : unanswered_;
  }
  // Whether it is its turn.
  bool MayRead(const Lane& lane) const;
  // False: it is not to be sent.
  bool Prepare(Lane& lane, uint64_t number, SpoolEntry* entry);
  void TakeLeft();
  void Read();
  bool ReadChunk(size_t index);
  void ReadEntry(size_t lane, const SpoolChunk::Entry& stored);
  void FlushRead();
  void Done(size_t lane, uint64_t number);
  void Trim(size_t index);
  void WriteRefused();
  void OnRefusedWritten(const absl::Status& status);

  const std::unique_ptr<SpoolLanes::Claim> claim_;
  const SenderSpoolOptions options_;
  SendQueue* const in_hand_;
  const std::shared_ptr<Mail> mail_;
  uint64_t next_sequence_ = 0;

  bool spooling_ = false;
  bool stirred_ = false;
  // A broker has answered since spooling began.
  bool answered_ = false;
  absl::Time stalled_since_ = absl::InfiniteFuture();
  absl::Time now_;
  absl::Time next_ = absl::InfiniteFuture();
  absl::Status disk_;
  absl::Time retry_at_ = absl::InfinitePast();

  // What was begun when the brokers stopped answering: pointed to from here
  // until it is written.
  std::vector<SendResult*> begun_;
  size_t begun_written_ = 0;
  Ring<SendBatchState*> waiting_;
  // On its way to the disk, of begun_ or else of waiting_.
  std::vector<SendResult*> writing_;
  bool writes_ = false;
  bool writes_begun_ = false;
  std::string bytes_;
  // Written while a driver had it, by where.
  absl::flat_hash_map<const SendResult*, uint64_t> in_doubt_;

  // The first one is its own.
  std::vector<Lane> lanes_;
  // Read, and not a batch yet.
  Batch::From read_from_;
  std::vector<Message> read_;
  std::vector<Stored> read_stored_;
  absl::Time read_again_at_ = absl::InfinitePast();
  // Read, and without a result.
  Unanswered unanswered_;
  Unanswered replay_unanswered_;
  std::vector<Refused> refused_;
  size_t refused_writing_ = 0;
  std::atomic<uint64_t> in_spool_{0};

  std::unique_ptr<Retainer> retainer_;  // null: nothing is retained
  std::optional<Replaying> asked_replay_;
  std::optional<Replaying> replay_;
  std::vector<QueueId> replays_;  // where replays are noted
  bool closed_ = false;           // the sender is: nothing more is sent
  std::atomic<uint64_t> replayed_{0};
  // Since spooling began.
  uint64_t spooled_ = 0;
  uint64_t expired_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SENDER_SPOOL_H_
