#include "lib/store/schema.h"

#include <array>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/checksum.h"
#include "lib/store/store_file.h"

namespace tieline::inline v0::store {
namespace {

// A segment's `prev` is the last sequence number of the one before it, or
// where the spool began: a segment that is missing breaks the chain.
// Blobs come last, so that what stands before them is read without them.
// .
constexpr std::array<std::pair<std::string_view, const char*>, 5> kTables = {{
    {"meta",
     "CREATE TABLE meta (id INTEGER PRIMARY KEY, commits INTEGER NOT NULL, "
     "crc INTEGER NOT NULL, producer BLOB NOT NULL) STRICT"},
    {"queues",
     "CREATE TABLE queues (id INTEGER PRIMARY KEY, trimmed INTEGER NOT NULL, "
     "generation INTEGER NOT NULL, crc INTEGER NOT NULL, name BLOB NOT NULL, "
     "digest BLOB NOT NULL, record BLOB NOT NULL) STRICT"},
    {"spool",
     "CREATE TABLE spool (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, "
     "prev INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, "
     "crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT"},
    {"inbox",
     "CREATE TABLE inbox (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, "
     "age INTEGER NOT NULL, count INTEGER NOT NULL, crc INTEGER NOT NULL, "
     "data BLOB NOT NULL) STRICT"},
    {"journal",
     "CREATE TABLE journal (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, "
     "crc INTEGER NOT NULL, kind BLOB NOT NULL, json BLOB NOT NULL) STRICT"},
}};

absl::Status WriteTables(Database* database, Meta meta) {
  TIELINE_RETURN_IF_ERROR(
      database->Execute("PRAGMA page_size=4096; PRAGMA journal_mode=DELETE; "
                        "PRAGMA synchronous=FULL; BEGIN"));
  for (const auto& [name, sql] : kTables) {
    TIELINE_RETURN_IF_ERROR(database->Execute(sql));
  }
  if (meta.producer.empty()) {
    TIELINE_ASSIGN_OR_RETURN(meta.producer,
                             database->Text("SELECT randomblob(16)"));
  }
  {
    TIELINE_ASSIGN_OR_RETURN(
        Statement insert,
        database->Prepare("INSERT INTO meta VALUES (1, ?, ?, ?)"));
    insert.Bind(1, meta.commits)
        .Bind(2, int64_t{CheckOf(meta)})
        .BindBlob(3, meta.producer);
    TIELINE_RETURN_IF_ERROR(insert.Run());
  }
  const std::string rest = fmt::format(
      "PRAGMA application_id={}; PRAGMA user_version={}; COMMIT; "
      "PRAGMA journal_mode=WAL",
      kApplicationId, kVersion);
  return database->Execute(rest.c_str());
}

absl::Status CheckTables(Database* database) {
  TIELINE_ASSIGN_OR_RETURN(
      Statement tables,
      database->Prepare("SELECT name, sql FROM sqlite_schema ORDER BY rowid"));
  for (const auto& [name, sql] : kTables) {
    TIELINE_ASSIGN_OR_RETURN(const bool row, tables.Next());
    if (!row || tables.Bytes(0) != name || tables.Bytes(1) != sql) {
      return Damaged(*database, "its tables are not a store's");
    }
  }
  TIELINE_ASSIGN_OR_RETURN(const bool more, tables.Next());
  if (more) return Damaged(*database, "it has tables that a store has not");
  return absl::OkStatus();
}

}  // namespace

absl::Status Damaged(const Database& database, std::string_view what) {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "store {}: the file is damaged: {}; `tieline store repair "
                    "{}` keeps what can be read",
                    database.path(), what, database.path());
}

absl::Status MakeStore(const std::string& path, const std::string& vfs,
                       Meta meta) {
  const std::string fresh = path + ".new";
  TIELINE_RETURN_IF_ERROR(MakeEmptyFile(fresh));
  {
    TIELINE_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                             Database::Open(fresh, vfs));
    TIELINE_RETURN_IF_ERROR(WriteTables(database.get(), std::move(meta)));
  }
  return MoveFile(fresh, path);
}

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path,
                                                       const std::string& vfs) {
  TIELINE_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                           Database::Open(path, vfs));
  // One that is found damaged stays as it is, its log too.
  database->KeepLogOnClose(true);
  // A file that is opened by one needs no shared memory for the log's index.
  TIELINE_RETURN_IF_ERROR(database->Execute(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cell_size_check=ON; "
      "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cache_size=-8192; "
      "PRAGMA secure_delete=OFF; "
      "PRAGMA synchronous=FULL"));
  TIELINE_ASSIGN_OR_RETURN(const std::string mode,
                           database->Text("PRAGMA journal_mode=WAL"));
  if (mode != "wal") return Damaged(*database, "it has no write-ahead log");
  TIELINE_ASSIGN_OR_RETURN(const int64_t page,
                           database->Number("PRAGMA page_size"));
  if (page != Database::kPageBytes) {
    return Damaged(*database, "its pages have another size than a store's");
  }
  TIELINE_RETURN_IF_ERROR(CheckTables(database.get()));
  return database;
}

absl::Status CheckStructure(Database* database) {
  TIELINE_ASSIGN_OR_RETURN(const std::string found,
                           database->Text("PRAGMA quick_check(1)"));
  if (found == "ok") return absl::OkStatus();
  return Damaged(*database, found);
}

absl::StatusOr<Meta> ReadMeta(Database* database) {
  TIELINE_ASSIGN_OR_RETURN(
      Statement rows,
      database->Prepare("SELECT commits, producer, crc FROM meta"));
  TIELINE_ASSIGN_OR_RETURN(const bool row, rows.Next());
  if (!row) return Damaged(*database, "it has lost its count of commits");
  Meta meta{.commits = rows.Uint(0), .producer = std::string(rows.Bytes(1))};
  if (rows.Int(2) != CheckOf(meta)) {
    return Damaged(*database, "its count of commits has a wrong checksum");
  }
  return meta;
}

uint32_t CheckOf(const Meta& meta) {
  return Crc32c(meta.producer, Crc32c(meta.commits, 0));
}

}  // namespace tieline::inline v0::store
