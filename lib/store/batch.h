// StoreBatch: what the store writes in one transaction, all or nothing.
//
// An entry of the spool is opaque bytes here, with the hash of its key: what
// turns a Message into bytes and back is the spool's user.
//
// Threads: a batch is a value; one thread at a time.
#ifndef TIELINE_LIB_STORE_BATCH_H_
#define TIELINE_LIB_STORE_BATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace tieline::inline v0 {

// A queue's number in one file: from Store::AddQueue.
enum class QueueId : uint32_t {};

// What binds a queue to a broker, as its owner encodes it.
struct GenerationRecord {
  uint64_t generation = 0;  // never falls
  std::string digest;       // of the config last applied; at most 64 bytes
  std::string record;       // at most 64 KiB
};

// What stays in the inbox of a queue: nothing that is older, and not more than
// so many. What came in one transaction goes together, with its youngest id.
struct InboxWindow {
  absl::Duration age = absl::InfiniteDuration();
  int64_t ids = INT64_MAX;
};

class StoreBatch {
 public:
  static constexpr size_t kMaxId = 512;
  static constexpr size_t kMaxDigest = 64;
  static constexpr size_t kMaxRecord = 64 << 10;
  static constexpr size_t kMaxKind = 64;
  static constexpr size_t kMaxText = 1 << 20;
  // What an entry of the spool or journal counts for beside its bytes.
  static constexpr int64_t kEntryOverhead = 32;

  // Puts an entry at the end of the queue's spool. Its sequence number is
  // known when the batch is committed: StoreCommitted.
  void Append(QueueId queue, uint64_t key_hash, std::string_view bytes);
  // Drops the spool's entries up to and with `through`, for good: only what a
  // broker has accepted.
  void Trim(QueueId queue, uint64_t through);
  // Adds a message id with a digest of its body. One that is there already
  // stays as it is.
  void AddToInbox(QueueId queue, std::string_view id, uint64_t digest);
  // Ids are evicted by this alone. Ages count the time that the file was open.
  void EvictFromInbox(QueueId queue, InboxWindow window);
  void SetGeneration(QueueId queue, GenerationRecord record);
  // Adds an entry, of the time when it is committed, to the journal.
  void AddToJournal(std::string_view kind, std::string_view json);
  // Drops the journal's entries up to and with number `through`; the newest
  // stays.
  void TrimJournal(uint64_t through);

  bool empty() const;
  // What it counts against StoreOptions::commit_bytes and waiting_bytes.
  int64_t bytes() const { return bytes_; }

  // For the store.
  struct Run {  // entries of one queue, packed
    QueueId queue;
    uint64_t count = 0;
    std::string packed;
  };
  struct JournalText {
    std::string kind;
    std::string json;
  };
  const std::vector<Run>& appends() const { return appends_; }
  const std::vector<std::pair<QueueId, uint64_t>>& trims() const {
    return trims_;
  }
  const std::vector<Run>& inbox() const { return inbox_; }
  const std::vector<std::pair<QueueId, InboxWindow>>& evictions() const {
    return evictions_;
  }
  const std::vector<std::pair<QueueId, GenerationRecord>>& generations() const {
    return generations_;
  }
  const std::vector<JournalText>& journal() const { return journal_; }
  std::optional<uint64_t> journal_trim() const { return journal_trim_; }
  // The longest of what was added, for the bounds above.
  size_t longest_id() const { return longest_id_; }
  // Whether it takes no room for messages: trims, generations, journal.
  bool frees_or_records() const { return appends_.empty() && inbox_.empty(); }

 private:
  std::vector<Run> appends_;
  std::vector<std::pair<QueueId, uint64_t>> trims_;
  std::vector<Run> inbox_;
  std::vector<std::pair<QueueId, InboxWindow>> evictions_;
  std::vector<std::pair<QueueId, GenerationRecord>> generations_;
  std::vector<JournalText> journal_;
  std::optional<uint64_t> journal_trim_;
  size_t longest_id_ = 0;
  int64_t bytes_ = 0;
};

// What became of a batch's appends: entries `first` to `first + count - 1`, in
// the order in which they were added.
struct Appended {
  QueueId queue;
  uint64_t first = 0;
  uint64_t count = 0;
};
struct StoreCommitted {
  std::vector<Appended> appended;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_BATCH_H_
