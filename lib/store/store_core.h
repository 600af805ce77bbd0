// StoreCore: what is behind a Store: its committer, its locks, its disk.
//
// Threads: any; see store.h. Whoever commits holds `db_mu_`, and `mu_` only for
// moments: Submit and the inbox never wait for the disk.
#ifndef TIELINE_LIB_STORE_STORE_CORE_H_
#define TIELINE_LIB_STORE_STORE_CORE_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/store/index.h"
#include "lib/store/store.h"
#include "lib/store/store_file.h"
#include "lib/store/tables.h"

namespace tieline::inline v0::store {

class StoreCore : public std::enable_shared_from_this<StoreCore> {
 public:
  StoreCore(StoreOptions options, std::string path, StoreLock lock);

  // As in Store.
  absl::Status Start();
  absl::StatusOr<QueueId> AddQueue(std::string_view name);
  absl::Status Submit(StoreBatch batch, Store::Done done);
  absl::StatusOr<SpoolChunk> ReadSpool(QueueId queue, uint64_t from,
                                       int64_t max_bytes);
  absl::StatusOr<std::vector<JournalEntry>> ReadJournal(uint64_t from,
                                                        int64_t limit);
  StoreState state();
  std::string producer();
  absl::Status Reopen();
  size_t RunOnce();
  absl::Time NextRun() const;
  absl::Status Close(absl::Duration within);

  bool OnOwnThread() const {
    return committing_.load(std::memory_order_relaxed) ==
           std::this_thread::get_id();
  }
  const StoreOptions& options() const { return options_; }
  // Calls `look` with the index.
  template <typename Look>
  auto WithIndex(Look look) {
    const MutexLock lock(&mu_);
    return look(static_cast<const Index&>(*index_));
  }

 private:
  struct Waiting {
    StoreBatch batch;
    Store::Done done;
    absl::Status status;  // as it is answered
    StoreCommitted committed;
  };
  using Group = std::vector<Waiting>;

  // The committer's steps.
  Group NextGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CommitGroup(Group* group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  absl::Status Write(const std::vector<Waiting*>& part)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  absl::Status WriteOnFullDisk(const std::vector<Waiting*>& part)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  void Refuse(const std::vector<Waiting*>& part, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  bool HasRoomFor(const std::vector<Waiting*>& part)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  void Checkpoint() ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  void Fail(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mu_);
  static void Answer(Group group);

  bool WorkWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteFailure(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReopenIfDue();
  void Loop();
  void CloseFile();
  // OK while something may be submitted.
  absl::Status Usable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const StoreOptions options_;
  const std::string path_;

  Mutex db_mu_;  // before mu_
  std::optional<StoreLock> lock_ ABSL_GUARDED_BY(db_mu_);
  std::unique_ptr<Tables> tables_ ABSL_GUARDED_BY(db_mu_);
  DiskReserve reserve_ ABSL_GUARDED_BY(db_mu_);

  mutable Mutex mu_;
  Condition wake_;    // there is something to do
  Condition closed_;  // `done_` is true
  std::unique_ptr<Index> index_ ABSL_GUARDED_BY(mu_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  // After a failure (steady).
  absl::Time reopen_at_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  uint64_t commits_ ABSL_GUARDED_BY(mu_) = 0;
  bool disk_full_ ABSL_GUARDED_BY(mu_) = false;
  // There was no room to drop rows: not before something else is committed.
  bool drops_wait_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;

  // Inbox ages go on from the greatest in the file.
  int64_t age_base_ = 0;
  absl::Time opened_at_;
  std::atomic<std::thread::id> committing_;
  std::thread thread_;
};

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_STORE_CORE_H_
