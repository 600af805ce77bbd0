// Database and Statement: SQLite's C interface with statuses.
//
// Threads: one at a time.
#ifndef TIELINE_LIB_STORE_DATABASE_H_
#define TIELINE_LIB_STORE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tieline::inline v0::store {

// What a result code of SQLite says, with the file and what was being done:
//   kResourceExhausted  no space on the disk, or no memory
//   kDataLoss           the file is damaged, or not SQLite's
//   kUnavailable        the disk failed
//   kFailedPrecondition another process has it open
//   kPermissionDenied   it may not be opened or written
//   kInternal           anything else
absl::Status SqliteStatus(int code, std::string_view path,
                          std::string_view doing, std::string_view detail);

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* statement, std::string path);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // Parameters count from 1, columns from 0. Bytes that are bound have to
  // live until the statement was run.
  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, uint64_t value) {
    return Bind(parameter, static_cast<int64_t>(value));
  }
  Statement& BindBlob(int parameter, std::string_view bytes);
  Statement& BindText(int parameter, std::string_view text);

  // Steps to the next row; false at the end, and the statement may then be
  // bound and run again.
  absl::StatusOr<bool> Next();
  // Runs a statement that gives no rows.
  absl::Status Run();
  void Reset();

  int64_t Int(int column) const;
  uint64_t Uint(int column) const { return static_cast<uint64_t>(Int(column)); }
  // Valid until the next step.
  std::string_view Bytes(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  std::string path_;
};

class Database {
 public:
  static constexpr int kPageBytes = 4096;

  // Opens a file that exists, not following a symbolic link.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const std::string& vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(const char* sql);
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // The first column of the only row.
  absl::StatusOr<int64_t> Number(std::string_view sql);
  absl::StatusOr<std::string> Text(std::string_view sql);

  // Writes back to the file what the log holds; the next transaction then
  // begins the log anew.
  absl::Status Checkpoint();
  // The frames of committed transactions in the log; 0 when all are written
  // back, -1 while that is not known: before the first checkpoint or commit.
  int log_frames() const { return log_frames_; }
  // Cuts off the log what comes after committed transactions, so that one
  // whose sync failed is never taken for committed.
  absl::Status CutLog();
  // Whether file and log are left as they are when it is closed; otherwise the
  // log is written back and removed.
  void KeepLogOnClose(bool keep);
  bool InTransaction() const;

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }

 private:
  Database(sqlite3* handle, std::string path);
  static int OnCommit(void* self, sqlite3* handle, const char* name,
                      int frames);

  sqlite3* handle_;
  std::string path_;
  int log_frames_ = -1;
};

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_DATABASE_H_
