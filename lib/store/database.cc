#include "lib/store/database.h"

#include <utility>

#include "lib/base/status.h"

namespace tieline::inline v0::store {
namespace {

// Of the write-ahead log: sqlite.org/fileformat2.html, section 4.1.
constexpr sqlite3_int64 kLogHead = 32;
constexpr sqlite3_int64 kFrame = 24 + Database::kPageBytes;

}  // namespace

absl::Status SqliteStatus(int code, std::string_view path,
                          std::string_view doing, std::string_view detail) {
  const auto status = [&](absl::StatusCode as, std::string_view what) {
    return MakeStatus(as, "store {}: {}: {} (SQLite {}: {})", path, doing, what,
                      code, detail);
  };
  switch (code & 0xff) {
    case SQLITE_FULL:
      return status(absl::StatusCode::kResourceExhausted,
                    "no space is left on the disk");
    case SQLITE_NOMEM:
      return status(absl::StatusCode::kResourceExhausted, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return status(
          absl::StatusCode::kDataLoss,
          "the file is damaged; `tieline store repair FILE` keeps what "
          "can be read");
    case SQLITE_IOERR:
      return status(absl::StatusCode::kUnavailable, "the disk failed");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return status(absl::StatusCode::kFailedPrecondition,
                    "another process has it open");
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return status(absl::StatusCode::kPermissionDenied,
                    "it can't be opened for writing");
    default:
      return status(absl::StatusCode::kInternal, "failed");
  }
}

Statement::Statement(sqlite3_stmt* statement, std::string path)
    : statement_(statement), path_(std::move(path)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      path_(std::move(other.path_)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  std::swap(path_, other.path_);
  return *this;
}

Statement& Statement::Bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
  return *this;
}

Statement& Statement::BindBlob(int parameter, std::string_view bytes) {
  // An empty blob, not NULL: its pointer must not be null.
  sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(),
                      bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::BindText(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(),
                      text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

absl::StatusOr<bool> Statement::Next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    Reset();
    return false;
  }
  absl::Status status =
      SqliteStatus(code, path_, sqlite3_sql(statement_),
                   sqlite3_errmsg(sqlite3_db_handle(statement_)));
  Reset();
  return status;
}

absl::Status Statement::Run() {
  TIELINE_ASSIGN_OR_RETURN(const bool row, Next());
  if (row) Reset();
  return absl::OkStatus();
}

void Statement::Reset() { sqlite3_reset(statement_); }

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

Database::Database(sqlite3* handle, std::string path)
    : handle_(handle), path_(std::move(path)) {}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path, const std::string& vfs) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                          SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                      vfs.empty() ? nullptr : vfs.c_str());
  // Closes it on every way out.
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) {
    return SqliteStatus(
        code, path, "open",
        handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle));
  }
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  // Instead of SQLite's own, which checkpoints within the commit.
  sqlite3_wal_hook(handle, &Database::OnCommit, database.get());
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

absl::Status Database::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteStatus(code, path_, sql, sqlite3_errmsg(handle_));
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return SqliteStatus(code, path_, sql, sqlite3_errmsg(handle_));
  }
  return Statement(statement, path_);
}

absl::StatusOr<int64_t> Database::Number(std::string_view sql) {
  TIELINE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  TIELINE_ASSIGN_OR_RETURN(const bool row, statement.Next());
  return row ? statement.Int(0) : 0;
}

absl::StatusOr<std::string> Database::Text(std::string_view sql) {
  TIELINE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  TIELINE_ASSIGN_OR_RETURN(const bool row, statement.Next());
  return row ? std::string(statement.Bytes(0)) : std::string();
}

int Database::OnCommit(void* self, sqlite3*, const char*, int frames) {
  static_cast<Database*>(self)->log_frames_ = frames;
  return SQLITE_OK;
}

absl::Status Database::Checkpoint() {
  int frames = 0;
  int written = 0;
  const int code = sqlite3_wal_checkpoint_v2(
      handle_, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &written);
  if (code != SQLITE_OK) {
    return SqliteStatus(code, path_, "checkpoint", sqlite3_errmsg(handle_));
  }
  log_frames_ = frames == written ? 0 : frames;
  return absl::OkStatus();
}

absl::Status Database::CutLog() {
  // Never a guess: it would cut off what was committed.
  if (log_frames_ < 0) {
    return SqliteStatus(SQLITE_IOERR, path_, "cut the log",
                        "its length is not known");
  }
  sqlite3_file* log = nullptr;
  int code =
      sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (code != SQLITE_OK || log == nullptr || log->pMethods == nullptr) {
    return SqliteStatus(code, path_, "cut the log", "it is not open");
  }
  const sqlite3_int64 keep =
      log_frames_ == 0 ? 0 : kLogHead + log_frames_ * kFrame;
  code = log->pMethods->xTruncate(log, keep);
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteStatus(code, path_, "cut the log", sqlite3_errstr(code));
}

void Database::KeepLogOnClose(bool keep) {
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0,
                    nullptr);
}

bool Database::InTransaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

}  // namespace tieline::inline v0::store
