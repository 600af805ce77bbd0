// Index: what a store keeps in memory of its file, and its bounds.
//
// It decides what a transaction has to write (Plan), and takes it over when it
// was written (Take). It knows no file, thread or clock.
//
// Threads: one at a time.
#ifndef TIELINE_LIB_STORE_INDEX_H_
#define TIELINE_LIB_STORE_INDEX_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/store/batch.h"
#include "lib/store/change.h"
#include "lib/store/store_options.h"

namespace tieline::inline v0::store {

// What a store holds.
struct Holdings {
  int64_t spool_bytes = 0;
  int64_t spool_entries = 0;
  int64_t inbox_ids = 0;
  int64_t journal_bytes = 0;
  int64_t waiting_bytes = 0;
  // Numbers of the journal's entries; 0: it is empty.
  uint64_t journal_first = 0;
  uint64_t journal_last = 0;
};

class Index {
 public:
  explicit Index(const StoreOptions& options);

  // As rows are read from the file. kDataLoss, without the file's name, when
  // one does not fit the others.
  absl::Status AddQueue(QueueId queue, QueueRow row);
  absl::Status AddSpool(QueueId queue, const SpoolSegment& segment);
  absl::Status AddInbox(QueueId queue, InboxSegment segment);
  void AddJournal(const JournalRow& row);

  // The number of a queue; kNotFound.
  absl::StatusOr<QueueId> FindQueue(std::string_view name) const;
  // The number that a new queue gets; kResourceExhausted, kInvalidArgument.
  absl::StatusOr<QueueId> NextQueue(std::string_view name) const;

  // Counts a batch against the bounds: it waits from now on.
  //   kInvalidArgument     it is larger than may be, or not of this file
  //   kFailedPrecondition  a generation would fall
  //   kResourceExhausted   it would pass a bound
  absl::Status Admit(const StoreBatch& batch);
  // A batch that was admitted, and is not committed after all.
  void Refuse(const StoreBatch& batch);

  // What has to be written for these batches, in their order, and of what was
  // dropped before. Valid while they live.
  Change Plan(const std::vector<const StoreBatch*>& batches, int64_t age,
              int64_t time) const;
  // A plan, now written. The batches no longer wait.
  void Take(Change change, const std::vector<const StoreBatch*>& batches);
  // Whether rows are left to drop.
  bool HasDrops() const;

  // Segments of a queue's spool from entry `from` on, with `bytes` of cost at
  // most, or one.
  std::vector<SpoolSegment> Spooled(QueueId queue, uint64_t from,
                                    int64_t bytes) const;
  // The digest that an id came with, if it is in the inbox.
  std::optional<uint64_t> FindId(QueueId queue, std::string_view id) const;
  std::optional<GenerationRecord> Generation(QueueId queue) const;
  struct Range {
    uint64_t trimmed = 0;
    uint64_t last = 0;
  };
  std::optional<Range> SpoolRange(QueueId queue) const;
  std::vector<std::pair<QueueId, std::string>> Queues() const;

  Holdings holdings() const;
  // The greatest age in the inbox.
  int64_t greatest_age() const { return greatest_age_; }

 private:
  struct Queue {
    QueueRow row;
    uint64_t last = 0;
    // The highest that was admitted, and how many wait.
    uint64_t queued_generation = 0;
    int64_t generations_waiting = 0;
    std::deque<SpoolSegment> spool;
    std::deque<InboxSegment> inbox;
    int64_t inbox_ids = 0;
    // Keys lie in the segments' data.
    absl::flat_hash_map<absl::string_view, uint64_t> ids;
  };
  struct Draft;

  Queue* Find(QueueId queue) const;
  absl::Status Check(const StoreBatch& batch) const;
  void PlanSpool(const StoreBatch& batch, Draft* draft) const;
  void PlanInbox(const StoreBatch& batch, Draft* draft) const;
  void PlanRest(const StoreBatch& batch, Draft* draft) const;
  void PlanDrops(Draft* draft) const;
  uint64_t JournalDrop(uint64_t trim) const;
  void TakeInbox(QueueId queue, InboxSegment segment);
  void Leave(Queue* queue, const Change::Leaving& leaving);

  StoreOptions options_;
  std::map<QueueId, std::unique_ptr<Queue>> queues_;
  absl::flat_hash_map<std::string, QueueId> names_;
  int64_t last_spool_id_ = 0;
  int64_t last_inbox_id_ = 0;
  uint64_t last_journal_id_ = 0;
  uint64_t first_journal_id_ = 0;  // 0: it is empty
  uint64_t journal_trim_ = 0;
  int64_t greatest_age_ = 0;
  // Rows that are of no queue any more, still to be dropped, with their cost.
  struct Drop {
    int64_t id;
    int64_t cost;
  };
  std::deque<Drop> spool_drops_;
  std::deque<Drop> inbox_drops_;
  Holdings held_;      // in the file
  Holdings admitted_;  // by batches that wait
};

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_INDEX_H_
