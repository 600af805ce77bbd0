#include "lib/store/repair.h"

#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/batch.h"
#include "lib/store/database.h"
#include "lib/store/load.h"
#include "lib/store/packing.h"
#include "lib/store/schema.h"
#include "lib/store/store_file.h"
#include "lib/store/tables.h"

namespace tieline::inline v0 {
namespace {

using store::Change;
using store::Database;
using store::Statement;
using store::Tables;

constexpr int kMostDamagedFiles = 1000;

// Shows every row of a table that can be read, from both ends towards a page
// that can't: to `see`, by ascending id up to there, then by descending id.
// False when there was such a page.
bool ForEachRow(Database* damaged, std::string_view table,
                std::string_view columns,
                const std::function<void(const Statement&)>& see) {
  bool whole = true;
  int64_t seen = 0;
  bool any = false;
  const auto walk = [&](const std::string& sql, bool forward) {
    absl::StatusOr<Statement> rows = damaged->Prepare(sql);
    if (!rows.ok()) return false;
    while (true) {
      const absl::StatusOr<bool> more = rows->Next();
      if (!more.ok()) return false;
      if (!*more) return true;
      if (forward) seen = rows->Int(0);
      any = true;
      see(*rows);
    }
  };
  whole =
      walk(fmt::format("SELECT {} FROM {} ORDER BY id", columns, table), true);
  if (whole) return true;
  walk(fmt::format("SELECT {} FROM {} {} ORDER BY id DESC", columns, table,
                   any ? fmt::format("WHERE id>{}", seen) : ""),
       false);
  return false;
}

class Repair {
 public:
  Repair(Database* damaged, Tables* fresh, RepairReport* report)
      : damaged_(damaged), fresh_(fresh), report_(report) {}

  absl::Status Run() {
    ReadQueues();
    ReadSpool();
    ReadInbox();
    ReadJournal();
    if (rows_read_ == 0 && report_->unreadable_tables > 0) {
      return MakeStatus(absl::StatusCode::kDataLoss,
                        "store {}: nothing of it can be read; put a copy in "
                        "its place, or take it and {}.lock away to begin anew",
                        damaged_->path(), damaged_->path());
    }
    return Write();
  }

 private:
  struct Spooled {
    QueueId queue;
    store::SpoolSegment segment;
    std::string data;
  };
  struct Noted {
    int64_t time = 0;
    std::string kind;
    std::string json;
  };

  static QueueId Queue(int64_t id) {
    return QueueId{static_cast<uint32_t>(id)};
  }

  void Readable(bool whole) {
    if (!whole) ++report_->unreadable_tables;
  }

  void ReadQueues() {
    Readable(
        ForEachRow(damaged_, "queues",
                   "id, trimmed, generation, crc, name, digest, record",
                   [this](const Statement& row) {
                     ++rows_read_;
                     store::QueueRow queue{
                         .name = std::string(row.Bytes(4)),
                         .trimmed = row.Uint(1),
                         .generation = {.generation = row.Uint(2),
                                        .digest = std::string(row.Bytes(5)),
                                        .record = std::string(row.Bytes(6))}};
                     const bool good =
                         row.Int(3) == store::CheckOf(Queue(row.Int(0)), queue);
                     ++(good ? report_->queues.kept : report_->queues.lost);
                     if (good)
                       queues_.emplace(Queue(row.Int(0)), std::move(queue));
                   }));
  }

  void ReadSpool() {
    Readable(ForEachRow(
        damaged_, "spool", "id, queue, prev, first, count, crc, data",
        [this](const Statement& row) {
          ++rows_read_;
          const store::SpoolSegment segment{.id = row.Int(0),
                                            .prev = row.Uint(2),
                                            .first = row.Uint(3),
                                            .count = row.Uint(4)};
          const QueueId queue = Queue(row.Int(1));
          const std::string_view data = row.Bytes(6);
          if (row.Int(5) != store::CheckOf(queue, segment, data) ||
              !store::IsSpool(data, segment.count)) {
            ++report_->damaged_segments;
            return;
          }
          spool_[{queue, segment.first}] = {queue, segment, std::string(data)};
        }));
  }

  void ReadInbox() {
    Readable(ForEachRow(
        damaged_, "inbox", "id, queue, age, count, crc, data",
        [this](const Statement& row) {
          ++rows_read_;
          store::InboxSegment segment{.id = row.Int(0),
                                      .age = row.Int(2),
                                      .count = row.Uint(3),
                                      .data = std::string(row.Bytes(5))};
          const QueueId queue = Queue(row.Int(1));
          if (row.Int(4) != store::CheckOf(queue, segment) ||
              !queues_.contains(queue)) {
            ++report_->damaged_segments;
            return;
          }
          report_->inbox_ids.kept += static_cast<int64_t>(segment.count);
          const int64_t id = segment.id;
          inbox_[id] = {queue, std::move(segment)};
        }));
  }

  void ReadJournal() {
    Readable(ForEachRow(damaged_, "journal", "id, time, crc, kind, json",
                        [this](const Statement& row) {
                          ++rows_read_;
                          const store::JournalRow entry{.id = row.Uint(0),
                                                        .time = row.Int(1),
                                                        .kind = row.Bytes(3),
                                                        .json = row.Bytes(4)};
                          const bool good = row.Int(2) == store::CheckOf(entry);
                          ++(good ? report_->journal_entries.kept
                                  : report_->journal_entries.lost);
                          if (!good) return;
                          journal_[entry.id] = {entry.time,
                                                std::string(entry.kind),
                                                std::string(entry.json)};
                        }));
  }

  absl::Status Write() {
    Change change;
    change.queues = queues_;
    // Segments follow each other again: each names the last entry before it.
    int64_t id = 0;
    std::map<QueueId, uint64_t> last;
    for (auto& [key, spooled] : spool_) {
      const auto queue = queues_.find(spooled.queue);
      const auto count = static_cast<int64_t>(spooled.segment.count);
      if (queue == queues_.end()) {
        report_->spool_entries.lost += count;
        continue;
      }
      const uint64_t trimmed = queue->second.trimmed;
      uint64_t& before = last.try_emplace(spooled.queue, trimmed).first->second;
      if (spooled.segment.last() <= before) continue;
      if (spooled.segment.first > before + 1) {
        report_->spool_entries.lost +=
            static_cast<int64_t>(spooled.segment.first - before - 1);
      }
      spooled.segment.id = ++id;
      // The first may have been trimmed in part.
      spooled.segment.prev =
          spooled.segment.first <= trimmed ? spooled.segment.first - 1 : before;
      before = spooled.segment.last();
      report_->spool_entries.kept += count;
      change.spooled.push_back({.queue = spooled.queue,
                                .segment = spooled.segment,
                                .parts = {spooled.data}});
    }
    id = 0;
    for (auto& [old, taken] : inbox_) {
      taken.segment.id = ++id;
      change.inbox.push_back(std::move(taken));
    }
    for (const auto& [number, noted] : journal_) {
      change.journal.push_back({.id = number,
                                .time = noted.time,
                                .kind = noted.kind,
                                .json = noted.json});
    }
    return fresh_->Write(&change);
  }

  Database* damaged_;
  Tables* fresh_;
  RepairReport* report_;
  int64_t rows_read_ = 0;
  std::map<QueueId, store::QueueRow> queues_;
  std::map<std::pair<QueueId, uint64_t>, Spooled> spool_;
  std::map<int64_t, Change::Taken> inbox_;
  std::map<uint64_t, Noted> journal_;
};

// A name beside `path` that is free.
absl::StatusOr<std::string> DamagedName(const std::string& path) {
  for (int i = 1; i <= kMostDamagedFiles; ++i) {
    std::string name = fmt::format("{}.damaged-{}", path, i);
    if (link(path.c_str(), name.c_str()) == 0) return name;
    if (errno != EEXIST) return store::SystemError(name, "make it", errno);
  }
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "store {}: there are {} damaged files beside it; take some "
                    "away",
                    path, kMostDamagedFiles);
}

}  // namespace

std::string RepairReport::ToString() const {
  const auto part = [](std::string_view name, const Part& of) {
    return fmt::format("{} kept {}, lost {}; ", name, of.kept, of.lost);
  };
  return part("queues:", queues) + part("spool entries:", spool_entries) +
         part("inbox ids:", inbox_ids) +
         part("journal entries:", journal_entries) +
         fmt::format(
             "damaged segments: {}; commits lost: {}; tables read in "
             "part: {}; the damaged file is {}",
             damaged_segments, lost_commits, unreadable_tables, damaged_file);
}

absl::StatusOr<RepairReport> RepairStore(const std::string& path) {
  TIELINE_ASSIGN_OR_RETURN(const std::string file, store::ResolvePath(path));
  TIELINE_ASSIGN_OR_RETURN(store::StoreLock lock, store::StoreLock::Take(file));
  TIELINE_ASSIGN_OR_RETURN(const bool there,
                           store::CheckFile(file, lock.mark()));
  if (!there) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      "store {}: there is no such store", file);
  }
  const std::string copy = file + ".repaired";
  RepairReport report;
  {
    TIELINE_ASSIGN_OR_RETURN(const std::unique_ptr<Database> damaged,
                             Database::Open(file, ""));
    damaged->KeepLogOnClose(true);
    TIELINE_RETURN_IF_ERROR(
        damaged->Execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON; "
                         "PRAGMA mmap_size=0; PRAGMA cell_size_check=ON"));
    store::Meta meta;
    if (absl::StatusOr<store::Meta> read = store::ReadMeta(damaged.get());
        read.ok()) {
      meta = *std::move(read);
    }
    if (meta.commits < lock.mark()) {
      report.lost_commits = static_cast<int64_t>(lock.mark() - meta.commits);
      meta.commits = lock.mark();
    }
    TIELINE_RETURN_IF_ERROR(store::MakeStore(copy, "", meta));
    TIELINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> opened,
                             store::OpenDatabase(copy, ""));
    opened->KeepLogOnClose(false);
    TIELINE_ASSIGN_OR_RETURN(const std::unique_ptr<Tables> fresh,
                             Tables::Open(std::move(opened)));
    TIELINE_RETURN_IF_ERROR(Repair(damaged.get(), fresh.get(), &report).Run());
  }
  // From here on a crash leaves the damaged file without its log, which the
  // mark tells, or the copy.
  TIELINE_ASSIGN_OR_RETURN(report.damaged_file, DamagedName(file));
  const std::string log = file + "-wal";
  if (rename(log.c_str(), (report.damaged_file + "-wal").c_str()) != 0 &&
      errno != ENOENT) {
    return store::SystemError(log, "rename", errno);
  }
  TIELINE_RETURN_IF_ERROR(store::MoveFile(copy, file));
  return report;
}

}  // namespace tieline::inline v0
