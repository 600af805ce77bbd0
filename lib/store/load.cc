#include "lib/store/load.h"

#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/schema.h"

namespace tieline::inline v0::store {

absl::StatusOr<std::unique_ptr<Tables>> LoadStore(const std::string& path,
                                                  const std::string& vfs,
                                                  uint64_t mark, Index* index) {
  TIELINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> opened,
                           OpenDatabase(path, vfs));
  Database* database = opened.get();
  TIELINE_RETURN_IF_ERROR(CheckStructure(database));
  TIELINE_ASSIGN_OR_RETURN(std::unique_ptr<Tables> tables,
                           Tables::Open(std::move(opened)));
  const auto fits = [database](const absl::Status& status) {
    return status.ok() ? status : Damaged(*database, MessageOf(status));
  };
  TIELINE_RETURN_IF_ERROR(tables->Visit({
      .queue =
          [&](QueueId queue, QueueRow row) {
            return fits(index->AddQueue(queue, std::move(row)));
          },
      .spool =
          [&](QueueId queue, const SpoolSegment& segment, std::string_view) {
            return fits(index->AddSpool(queue, segment));
          },
      .inbox =
          [&](QueueId queue, InboxSegment segment) {
            return fits(index->AddInbox(queue, std::move(segment)));
          },
      .journal =
          [&](const JournalRow& row) {
            index->AddJournal(row);
            return absl::OkStatus();
          },
  }));
  if (tables->meta().commits < mark) {
    return Damaged(
        *database,
        fmt::format("it holds {} commits, and {} were acknowledged: its log "
                    "(-wal) was damaged or removed, or it is an old copy",
                    tables->meta().commits, mark));
  }
  // From here on it is known where the log ends. A full disk may leave it as
  // it is, until the first commit.
  const absl::Status written = database->Checkpoint();
  if (!written.ok() && !absl::IsResourceExhausted(written)) return written;
  database->KeepLogOnClose(false);
  return tables;
}

}  // namespace tieline::inline v0::store
