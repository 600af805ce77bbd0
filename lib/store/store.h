// Store: spool, inbox, generations and journal in one file.
//
// What is committed survives a killed process, a power cut and a full disk;
// what belongs together is committed together (StoreBatch). Batches that wait
// are committed in one transaction with one sync.
//
// Threads: any thread may call anything, several at a time. Callbacks run on
// the store's thread (StoreDrive::kThread) or on that of whoever calls RunOnce,
// Close or the destructor, under no lock; from them everything may be called
// but Commit, AddQueue, Reopen, Close and the destructor.
#ifndef TIELINE_LIB_STORE_STORE_H_
#define TIELINE_LIB_STORE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/store/batch.h"
#include "lib/store/store_options.h"

namespace tieline::inline v0 {

namespace store {
class StoreCore;
}  // namespace store

// Entries of one queue's spool, in their order.
struct SpoolChunk {
  struct Entry {
    uint64_t sequence = 0;
    uint64_t key_hash = 0;
    std::string_view bytes;  // in `data`
  };
  SpoolChunk() = default;
  SpoolChunk(SpoolChunk&&) = default;
  SpoolChunk& operator=(SpoolChunk&&) = default;

  std::vector<Entry> entries;
  std::unique_ptr<std::string> data;
};

struct JournalEntry {
  uint64_t number = 0;
  absl::Time time;
  std::string kind;
  std::string json;
};

struct StoreState {
  int64_t spool_bytes = 0;
  int64_t spool_entries = 0;
  int64_t inbox_ids = 0;
  int64_t journal_bytes = 0;
  int64_t waiting_bytes = 0;
  // Numbers of the journal's first and last entry; 0: it is empty.
  uint64_t journal_first = 0;
  uint64_t journal_last = 0;
  uint64_t commits = 0;
  // The disk is full: messages are refused, trims and records are taken.
  bool disk_full = false;
  // Why nothing is committed until Reopen; OK otherwise.
  absl::Status failure;
};

class Store {
 public:
  using Done = std::function<void(const absl::StatusOr<StoreCommitted>&)>;

  // Opens the file, or makes it, and checks all of it.
  //   kInvalidArgument     options, or `path` is a folder or a symbolic link
  //   kFailedPrecondition  it is open already, another program's, or of another
  //                        version
  //   kDataLoss            it is damaged: RepairStore (repair.h)
  //   kPermissionDenied, kNotFound, kUnavailable, kResourceExhausted: the disk
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options);
  // Closes it within StoreOptions::stop_within.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The number of a queue, which is added durably if it is new.
  //   kResourceExhausted  StoreOptions::queues, or the disk is full
  //   kInvalidArgument    the name is empty or longer than 512 bytes
  absl::StatusOr<QueueId> AddQueue(std::string_view name);
  std::vector<std::pair<QueueId, std::string>> Queues() const;

  // Queues a batch. When this is OK `done` is called once: OK when the batch
  // is durable; otherwise nothing of it is in the file (kResourceExhausted: the
  // disk is full; kUnavailable: it failed, see Reopen; kCancelled: the store
  // was closed first). Batches are committed in the order of their Submit.
  //   kResourceExhausted   a bound of StoreOptions, by name: slow down
  //   kInvalidArgument     too large a batch, an unknown queue, a trim past the
  //                        end
  //   kFailedPrecondition  a generation would fall, or the store is closed
  //   kUnavailable         the disk failed before: Reopen
  absl::Status Submit(StoreBatch batch, Done done);
  // Submits and waits, in real time. kDeadlineExceeded: it may still become
  // durable. With StoreDrive::kCaller it runs the store itself.
  absl::StatusOr<StoreCommitted> Commit(
      StoreBatch batch, absl::Duration timeout = absl::InfiniteDuration());

  // Entries from `from` on: about `max_bytes` of them, at least one; none when
  // there are none. kDataLoss, kUnavailable: the file.
  absl::StatusOr<SpoolChunk> ReadSpool(QueueId queue, uint64_t from,
                                       int64_t max_bytes);
  // What is there: entries `trimmed + 1` to `last`. kNotFound.
  struct SpoolRange {
    uint64_t trimmed = 0;
    uint64_t last = 0;
  };
  absl::StatusOr<SpoolRange> RangeOf(QueueId queue) const;
  // The digest that a message id came with, if it is in the queue's inbox.
  std::optional<uint64_t> FindInInbox(QueueId queue, std::string_view id) const;
  // Generation 0 until one is set. kNotFound.
  absl::StatusOr<GenerationRecord> Generation(QueueId queue) const;
  absl::StatusOr<std::vector<JournalEntry>> ReadJournal(uint64_t from,
                                                        int64_t limit);
  // 16 random bytes that were made with the file.
  std::string producer() const;
  StoreState state() const;

  // After the disk failed nothing is acknowledged until this has opened and
  // checked the file again (StoreOptions::reopen_every). Errors as of Open; it
  // may be called again.
  absl::Status Reopen();

  // With StoreDrive::kCaller: commits what waits, in one transaction, or opens
  // the file again when it is time; how many batches were answered.
  size_t RunOnce();
  // When there is something for it (steady): infinite past, at once; infinite
  // future, when something is submitted.
  absl::Time NextRun() const;

  // Commits what waits and closes the file. kDeadlineExceeded: the disk did not
  // answer; what was not begun is answered kCancelled, and the file is closed,
  // and unlocked, when the disk answers.
  absl::Status Close(absl::Duration within);

 private:
  explicit Store(std::shared_ptr<store::StoreCore> core);

  std::shared_ptr<store::StoreCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_STORE_H_
