// The writing half of Tables.
#include <sqlite3.h>

#include "lib/base/status.h"
#include "lib/store/tables.h"

namespace tieline::inline v0::store {

absl::Status Tables::Transact(const std::function<absl::Status()>& rows) {
  TIELINE_RETURN_IF_ERROR(begin_.Run());
  absl::Status status = rows();
  if (status.ok()) status = CountCommit();
  if (status.ok()) status = commit_.Run();
  if (!status.ok()) return Abandon(status);
  ++meta_.commits;
  return absl::OkStatus();
}

absl::Status Tables::Abandon(const absl::Status& why) {
  // SQLite has rolled back by itself after some errors.
  if (database_->InTransaction()) {
    if (const absl::Status undone = rollback_.Run(); !undone.ok()) {
      return MakeStatus(absl::StatusCode::kUnavailable, "{}; and {}",
                        MessageOf(why), MessageOf(undone));
    }
  }
  if (why.code() == absl::StatusCode::kUnavailable) {
    // A commit whose sync failed is whole in the log, and would be taken for
    // one that succeeded.
    if (const absl::Status cut = database_->CutLog(); !cut.ok()) {
      return MakeStatus(absl::StatusCode::kUnavailable, "{}; and {}",
                        MessageOf(why), MessageOf(cut));
    }
  }
  return why;
}

absl::Status Tables::CountCommit() {
  Meta next = meta_;
  ++next.commits;
  put_meta_.Bind(1, next.commits).Bind(2, int64_t{CheckOf(next)});
  return put_meta_.Run();
}

absl::Status Tables::Write(Change* change) {
  return Transact([&] { return WriteRows(change); });
}

absl::Status Tables::AddQueue(QueueId queue, const QueueRow& row) {
  return Transact([&] { return PutQueue(queue, row); });
}

absl::Status Tables::PutQueue(QueueId queue, const QueueRow& row) {
  put_queue_.Bind(1, int64_t{static_cast<uint32_t>(queue)})
      .Bind(2, row.trimmed)
      .Bind(3, row.generation.generation)
      .Bind(4, int64_t{CheckOf(queue, row)})
      .BindBlob(5, row.name)
      .BindBlob(6, row.generation.digest)
      .BindBlob(7, row.generation.record);
  return put_queue_.Run();
}

absl::Status Tables::WriteRows(Change* change) {
  // What frees pages comes first.
  TIELINE_RETURN_IF_ERROR(Drop(*change));
  for (const auto& [queue, row] : change->queues) {
    TIELINE_RETURN_IF_ERROR(PutQueue(queue, row));
  }
  TIELINE_RETURN_IF_ERROR(WriteSpool(*change));
  TIELINE_RETURN_IF_ERROR(WriteInbox(*change));
  return WriteJournal(change);
}

absl::Status Tables::Drop(const Change& change) {
  for (const int64_t id : change.spool_drops) {
    TIELINE_RETURN_IF_ERROR(drop_spool_.Bind(1, id).Run());
  }
  for (const int64_t id : change.inbox_drops) {
    TIELINE_RETURN_IF_ERROR(drop_inbox_.Bind(1, id).Run());
  }
  return absl::OkStatus();
}

absl::Status Tables::WriteSpool(const Change& change) {
  for (const Change::Spooled& spooled : change.spooled) {
    joined_.clear();
    for (const std::string_view part : spooled.parts) joined_.append(part);
    const SpoolSegment& segment = spooled.segment;
    put_spool_.Bind(1, segment.id)
        .Bind(2, int64_t{static_cast<uint32_t>(spooled.queue)})
        .Bind(3, segment.prev)
        .Bind(4, segment.first)
        .Bind(5, segment.count)
        .Bind(6, int64_t{CheckOf(spooled.queue, segment, joined_)})
        .BindBlob(7, joined_);
    TIELINE_RETURN_IF_ERROR(put_spool_.Run());
  }
  return absl::OkStatus();
}

absl::Status Tables::WriteInbox(const Change& change) {
  for (const Change::Taken& taken : change.inbox) {
    const InboxSegment& segment = taken.segment;
    put_inbox_.Bind(1, segment.id)
        .Bind(2, int64_t{static_cast<uint32_t>(taken.queue)})
        .Bind(3, segment.age)
        .Bind(4, segment.count)
        .Bind(5, int64_t{CheckOf(taken.queue, segment)})
        .BindBlob(6, segment.data);
    TIELINE_RETURN_IF_ERROR(put_inbox_.Run());
  }
  return absl::OkStatus();
}

absl::Status Tables::WriteJournal(Change* change) {
  if (change->journal_drop > 0) {
    size_journal_.Bind(1, change->journal_drop);
    TIELINE_ASSIGN_OR_RETURN(const bool row, size_journal_.Next());
    if (row) {
      change->journal_freed = size_journal_.Int(1) +
                              size_journal_.Int(0) * StoreBatch::kEntryOverhead;
      size_journal_.Reset();
    }
    TIELINE_RETURN_IF_ERROR(drop_journal_.Bind(1, change->journal_drop).Run());
  }
  for (const JournalRow& row : change->journal) {
    put_journal_.Bind(1, row.id)
        .Bind(2, row.time)
        .Bind(3, int64_t{CheckOf(row)})
        .BindBlob(4, row.kind)
        .BindBlob(5, row.json);
    TIELINE_RETURN_IF_ERROR(put_journal_.Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Tables::FreePages() {
  TIELINE_ASSIGN_OR_RETURN(const bool row, free_pages_.Next());
  const int64_t pages = row ? free_pages_.Int(0) : 0;
  free_pages_.Reset();
  return pages;
}

}  // namespace tieline::inline v0::store
