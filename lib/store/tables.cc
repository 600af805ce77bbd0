// Opening and reading; tables_write.cc has the rest.
#include "lib/store/tables.h"

#include <sqlite3.h>

#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/checksum.h"
#include "lib/store/packing.h"

namespace tieline::inline v0::store {
namespace {

// Sequence numbers and ids are far below; sums of them then fit.
constexpr uint64_t kMostNumber = uint64_t{1} << 62;

uint32_t Sized(std::string_view bytes, uint32_t crc) {
  return Crc32c(bytes, Crc32c(bytes.size(), crc));
}

QueueId QueueAt(const Statement& row, int column) {
  return QueueId{static_cast<uint32_t>(row.Int(column))};
}

}  // namespace

uint32_t CheckOf(QueueId queue, const QueueRow& row) {
  uint32_t crc = Crc32c(static_cast<uint32_t>(queue), 0);
  crc = Crc32c(row.trimmed, crc);
  crc = Crc32c(row.generation.generation, crc);
  crc = Sized(row.name, crc);
  crc = Sized(row.generation.digest, crc);
  return Sized(row.generation.record, crc);
}

uint32_t CheckOf(QueueId queue, const SpoolSegment& segment,
                 std::string_view data) {
  uint32_t crc = Crc32c(static_cast<uint32_t>(queue), 0);
  crc = Crc32c(segment.prev, crc);
  crc = Crc32c(segment.first, crc);
  crc = Crc32c(segment.count, crc);
  return Crc32c(data, crc);
}

uint32_t CheckOf(QueueId queue, const InboxSegment& segment) {
  uint32_t crc = Crc32c(static_cast<uint32_t>(queue), 0);
  crc = Crc32c(static_cast<uint64_t>(segment.age), crc);
  crc = Crc32c(segment.count, crc);
  return Crc32c(segment.data, crc);
}

uint32_t CheckOf(const JournalRow& row) {
  uint32_t crc = Crc32c(row.id, 0);
  crc = Crc32c(static_cast<uint64_t>(row.time), crc);
  return Sized(row.json, Sized(row.kind, crc));
}

Tables::Tables(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}

absl::StatusOr<std::unique_ptr<Tables>> Tables::Open(
    std::unique_ptr<Database> database) {
  std::unique_ptr<Tables> tables(new Tables(std::move(database)));
  TIELINE_RETURN_IF_ERROR(tables->PrepareAll());
  TIELINE_ASSIGN_OR_RETURN(tables->meta_, ReadMeta(tables->database()));
  return tables;
}

absl::Status Tables::PrepareAll() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&rollback_, "ROLLBACK"},
      {&put_meta_, "UPDATE meta SET commits=?, crc=? WHERE id=1"},
      {&put_queue_,
       "REPLACE INTO queues (id, trimmed, generation, crc, name, digest, "
       "record) VALUES (?, ?, ?, ?, ?, ?, ?)"},
      {&put_spool_,
       "INSERT INTO spool (id, queue, prev, first, count, crc, data) "
       "VALUES (?, ?, ?, ?, ?, ?, ?)"},
      {&put_inbox_,
       "INSERT INTO inbox (id, queue, age, count, crc, data) "
       "VALUES (?, ?, ?, ?, ?, ?)"},
      {&put_journal_,
       "INSERT INTO journal (id, time, crc, kind, json) "
       "VALUES (?, ?, ?, ?, ?)"},
      {&get_spool_, "SELECT crc, data FROM spool WHERE id=?"},
      {&get_journal_,
       "SELECT id, time, crc, kind, json FROM journal WHERE id>=? "
       "ORDER BY id LIMIT ?"},
      {&size_journal_,
       "SELECT count(*), coalesce(sum(length(kind)+length(json)), 0) "
       "FROM journal WHERE id<=?"},
      {&drop_spool_, "DELETE FROM spool WHERE id=?"},
      {&drop_inbox_, "DELETE FROM inbox WHERE id=?"},
      {&drop_journal_, "DELETE FROM journal WHERE id<=?"},
      {&free_pages_, "PRAGMA freelist_count"},
  };
  for (const auto& [statement, sql] : all) {
    TIELINE_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status Tables::Visit(const Visitor& visitor) {
  TIELINE_RETURN_IF_ERROR(VisitQueues(visitor));
  TIELINE_RETURN_IF_ERROR(VisitSpool(visitor));
  TIELINE_RETURN_IF_ERROR(VisitInbox(visitor));
  return ReadJournal(0, INT64_MAX, visitor.journal);
}

absl::Status Tables::VisitQueues(const Visitor& visitor) {
  TIELINE_ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare("SELECT id, trimmed, generation, crc, name, digest, "
                         "record FROM queues ORDER BY id"));
  while (true) {
    TIELINE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return absl::OkStatus();
    QueueRow row{.name = std::string(rows.Bytes(4)),
                 .trimmed = rows.Uint(1),
                 .generation = {.generation = rows.Uint(2),
                                .digest = std::string(rows.Bytes(5)),
                                .record = std::string(rows.Bytes(6))}};
    if (rows.Int(3) != CheckOf(QueueAt(rows, 0), row) ||
        row.trimmed >= kMostNumber) {
      return Damaged(*database_,
                     fmt::format("the record of queue number {} has a wrong "
                                 "checksum",
                                 rows.Int(0)));
    }
    TIELINE_RETURN_IF_ERROR(visitor.queue(QueueAt(rows, 0), std::move(row)));
  }
}

absl::Status Tables::VisitSpool(const Visitor& visitor) {
  TIELINE_ASSIGN_OR_RETURN(
      Statement rows, database_->Prepare("SELECT id, queue, prev, first, count,"
                                         " crc, data FROM spool ORDER BY id"));
  while (true) {
    TIELINE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return absl::OkStatus();
    SpoolSegment segment{.id = rows.Int(0),
                         .prev = rows.Uint(2),
                         .first = rows.Uint(3),
                         .count = rows.Uint(4)};
    const std::string_view data = rows.Bytes(6);
    if (rows.Int(5) != CheckOf(QueueAt(rows, 1), segment, data) ||
        segment.first >= kMostNumber || segment.prev >= segment.first ||
        segment.count == 0 || !IsSpool(data, segment.count)) {
      return Damaged(*database_,
                     fmt::format("segment {} of the spool has a wrong checksum",
                                 segment.id));
    }
    segment.cost =
        static_cast<int64_t>(data.size()) +
        static_cast<int64_t>(segment.count) *
            (StoreBatch::kEntryOverhead - static_cast<int64_t>(kSpoolHead));
    TIELINE_RETURN_IF_ERROR(visitor.spool(QueueAt(rows, 1), segment, data));
  }
}

absl::Status Tables::VisitInbox(const Visitor& visitor) {
  TIELINE_ASSIGN_OR_RETURN(
      Statement rows, database_->Prepare("SELECT id, queue, age, count, crc, "
                                         "data FROM inbox ORDER BY id"));
  while (true) {
    TIELINE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return absl::OkStatus();
    InboxSegment segment{.id = rows.Int(0),
                         .age = rows.Int(2),
                         .count = rows.Uint(3),
                         .data = std::string(rows.Bytes(5))};
    if (rows.Int(4) != CheckOf(QueueAt(rows, 1), segment) ||
        segment.count == 0 || !IsInbox(segment.data, segment.count)) {
      return Damaged(*database_,
                     fmt::format("segment {} of the inbox has a wrong checksum",
                                 segment.id));
    }
    TIELINE_RETURN_IF_ERROR(
        visitor.inbox(QueueAt(rows, 1), std::move(segment)));
  }
}

absl::Status Tables::ReadJournal(
    uint64_t from, int64_t limit,
    const std::function<absl::Status(const JournalRow&)>& visit) {
  get_journal_.Bind(1, from).Bind(2, limit);
  while (true) {
    TIELINE_ASSIGN_OR_RETURN(const bool more, get_journal_.Next());
    if (!more) return absl::OkStatus();
    const JournalRow row{.id = get_journal_.Uint(0),
                         .time = get_journal_.Int(1),
                         .kind = get_journal_.Bytes(3),
                         .json = get_journal_.Bytes(4)};
    absl::Status status;
    if (get_journal_.Int(2) != CheckOf(row) || row.id >= kMostNumber) {
      status = Damaged(
          *database_,
          fmt::format("entry {} of the journal has a wrong checksum", row.id));
    } else {
      status = visit(row);
    }
    if (!status.ok()) {
      get_journal_.Reset();
      return status;
    }
  }
}

absl::Status Tables::ReadSpool(QueueId queue, const SpoolSegment& segment,
                               std::string* data) {
  get_spool_.Bind(1, segment.id);
  TIELINE_ASSIGN_OR_RETURN(const bool found, get_spool_.Next());
  if (!found) return absl::NotFoundError("the segment was dropped");
  const std::string_view bytes = get_spool_.Bytes(1);
  const bool good = get_spool_.Int(0) == CheckOf(queue, segment, bytes);
  if (good) data->append(bytes);
  get_spool_.Reset();
  if (good) return absl::OkStatus();
  return Damaged(
      *database_,
      fmt::format("segment {} of the spool has a wrong checksum", segment.id));
}

}  // namespace tieline::inline v0::store
