// RepairStore: what can be read of a damaged store, in a file that is whole.
#ifndef TIELINE_LIB_STORE_REPAIR_H_
#define TIELINE_LIB_STORE_REPAIR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tieline::inline v0 {

struct RepairReport {
  // How much of something was kept, and how much is known to be lost.
  struct Part {
    int64_t kept = 0;
    int64_t lost = 0;
  };
  Part queues;
  Part spool_entries;
  Part inbox_ids;
  Part journal_entries;
  // Segments of spool and inbox whose checksum is wrong: what they held at the
  // end of a queue's spool, or of ids, is not counted above.
  int64_t damaged_segments = 0;
  // Commits that were acknowledged, and that the file does not know of.
  int64_t lost_commits = 0;
  // Tables of which a part could not be read at all, so that more may be lost
  // than is counted above.
  int64_t unreadable_tables = 0;
  // Where the damaged file is now; its log is beside it, as NAME-wal.
  std::string damaged_file;

  // The above in one line.
  std::string ToString() const;
};

// Copies what can be read of the store `path` to a new file and puts that in
// its place; the damaged one stays beside it. A whole store comes out as it
// was. It is held in memory meanwhile. A crash leaves the one or the other, or
// a file that Open calls damaged.
//   kFailedPrecondition  it is open, or another program's
//   kDataLoss            nothing of it can be read: take it away, or a copy
//   kInvalidArgument, kNotFound, kPermissionDenied, kUnavailable,
//   kResourceExhausted   the disk, as of Store::Open
absl::StatusOr<RepairReport> RepairStore(const std::string& path);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_REPAIR_H_
