// StoreOptions: where a store's file is, and the bounds of what is in it.
#ifndef TIELINE_LIB_STORE_STORE_OPTIONS_H_
#define TIELINE_LIB_STORE_STORE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/clock.h"

namespace tieline::inline v0 {

// Who commits what was submitted.
enum class StoreDrive : uint8_t {
  kThread,  // a thread of the store's own, `tieline-store`
  kCaller,  // Store::RunOnce, called by whoever opened it
};

struct StoreOptions {
  // The file; beside it come FILE-wal, FILE.lock and FILE.reserve. Its folder
  // has to exist. No symbolic link.
  std::string path;

  // Bounds. At each, what would pass it is kResourceExhausted.
  //
  // Bytes of entries in the spool, 32 more for each.
  int64_t spool_bytes = int64_t{256} << 20;
  // Message ids in the inbox, all queues together. They are held in memory.
  int64_t inbox_ids = 1'000'000;
  // Bytes of kinds and texts in the journal, 32 more for each entry.
  int64_t journal_bytes = int64_t{64} << 20;
  // Queues that the file knows.
  int64_t queues = 10'000;
  // Bytes of submitted batches that are not committed yet.
  int64_t waiting_bytes = int64_t{32} << 20;

  // Bytes that one transaction takes at most, and so the largest batch:
  // [4 KiB, 64 MiB]. Three times as much is kept in reserve on the disk, so
  // that a full one can still be trimmed.
  int64_t commit_bytes = int64_t{4} << 20;
  // Bytes of entries that are packed together: [1 KiB, commit_bytes].
  int64_t segment_bytes = int64_t{256} << 10;

  // How often the file is opened again after the disk failed, as by
  // Store::Reopen, until that succeeds. Infinite: only by who calls that.
  absl::Duration reopen_every = absl::InfiniteDuration();

  // What the destructor waits for the last commit, at most.
  absl::Duration stop_within = absl::Seconds(5);
  StoreDrive drive = StoreDrive::kThread;
  // With kCaller: called when RunOnce has something to do that it had not
  // before, on the thread that submitted it, under no lock. May be empty.
  std::function<void()> on_work;
  // For the journal's times and the inbox's ages.
  Clock* clock = Clock::System();
  // The SQLite VFS that the file is opened with; empty: SQLite's default.
  std::string vfs;

  // kInvalidArgument, naming the field, its range and what it was.
  absl::Status Validate() const;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_STORE_OPTIONS_H_
