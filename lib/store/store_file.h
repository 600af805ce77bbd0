// The files of a store, before SQLite sees them: FILE, its lock, its reserve.
//
// Threads: one at a time.
#ifndef TIELINE_LIB_STORE_STORE_FILE_H_
#define TIELINE_LIB_STORE_STORE_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tieline::inline v0::store {

// What marks a file as ours, and what its tables look like: SQLite's
// application_id ("TieL") and user_version.
inline constexpr uint32_t kApplicationId = 0x5469654c;
inline constexpr uint32_t kVersion = 1;

// A descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// `path` with its folder's symbolic links resolved. kNotFound without the
// folder, kInvalidArgument where `path` is no regular file or a link itself.
absl::StatusOr<std::string> ResolvePath(const std::string& path);

// The one that has the store open: flock on FILE.lock, mode 0600. The kernel
// lets go of it when its owner ends, however it ends. SQLite's own lock
// would do between processes, but says nothing between two stores of one
// process, and names nobody.
//
// The file also keeps a mark: how many commits were acknowledged. It is
// written after each, without a sync, so it is never ahead of what is durable;
// a store that knows of fewer has lost some (a damaged or deleted log, an old
// copy), which nothing else would tell from a crash.
class StoreLock {
 public:
  // kFailedPrecondition when it is taken, naming the process.
  static absl::StatusOr<StoreLock> Take(const std::string& path);

  uint64_t mark() const { return mark_; }
  void SetMark(uint64_t commits);

 private:
  explicit StoreLock(Descriptor file) : file_(std::move(file)) {}

  Descriptor file_;
  uint64_t mark_ = 0;
};

// Disk space that is kept for trims: FILE.reserve.
class DiskReserve {
 public:
  DiskReserve(const std::string& path, int64_t bytes)
      : path_(path + ".reserve"), bytes_(bytes) {}

  // Takes the space unless it is held; whether it is now.
  bool Take();
  // Gives it back; whether there was any.
  bool Release();
  bool held() const { return held_; }

 private:
  std::string path_;
  int64_t bytes_;
  bool held_ = false;
};

// Whether FILE is there (true, and its mode is 0600 now, its log's too) or has
// to be made (it is missing or empty). Nothing foreign is touched.
//   kFailedPrecondition  another program's file, or of another version
//   kDataLoss            its head is no database's; or it is gone or empty
//                        although commits were acknowledged (`mark`)
//   kPermissionDenied    it can't be opened
absl::StatusOr<bool> CheckFile(const std::string& path, uint64_t mark);

// Makes an empty file of mode 0600 in the place of what is there.
absl::Status MakeEmptyFile(const std::string& path);

// Renames a file, replacing `to`, durably.
absl::Status MoveFile(const std::string& from, const std::string& to);

// Makes durable which files the folder of `path` has.
absl::Status SyncFolder(const std::string& path);

// A status for errno.
absl::Status SystemError(std::string_view path, std::string_view doing,
                         int error);

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_STORE_FILE_H_
