#include "lib/store/store_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "lib/base/status.h"
#include "lib/store/checksum.h"

namespace tieline::inline v0::store {
namespace {

constexpr mode_t kMode = S_IRUSR | S_IWUSR;
constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr size_t kHead = 100;  // of a database
constexpr size_t kVersionAt = 60;
constexpr size_t kApplicationAt = 68;

// FILE.lock: the process, and the mark twice, so that one torn by a crash
// leaves the other.
struct LockContents {
  uint64_t process = 0;
  struct {
    uint64_t commits = 0;
    uint64_t check = 0;
  } marks[2];
};

uint32_t BigEndian(std::string_view head, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    number = number << 8 | static_cast<uint8_t>(head[at + i]);
  }
  return number;
}

// Mode 0600 for a file that may be missing.
absl::Status Restrict(const std::string& path) {
  if (chmod(path.c_str(), kMode) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return SystemError(path, "set mode 0600", errno);
}

absl::Status CheckHead(const std::string& path, std::string_view head,
                       bool ours) {
  if (head.size() < kHead || head.substr(0, kMagic.size()) != kMagic) {
    if (ours) {
      return MakeStatus(absl::StatusCode::kDataLoss,
                        "store {}: its first page is damaged; put a copy in "
                        "its place, or take it and {}.lock away to begin anew",
                        path, path);
    }
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store {}: this is not a Tieline store; name another "
                      "file",
                      path);
  }
  const uint32_t application = BigEndian(head, kApplicationAt);
  const uint32_t version = BigEndian(head, kVersionAt);
  if (application != kApplicationId) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store {}: this is another program's SQLite file "
                      "(application id {:#x}, not {:#x}), or its first page is "
                      "damaged; name another file",
                      path, application, kApplicationId);
  }
  if (version != kVersion) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store {}: its version is {}, and this Tieline reads "
                      "{}; use the Tieline that wrote it",
                      path, version, kVersion);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SystemError(std::string_view path, std::string_view doing,
                         int error) {
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  if (error == EACCES || error == EPERM || error == EROFS) {
    code = absl::StatusCode::kPermissionDenied;
  } else if (error == ENOENT || error == ENOTDIR) {
    code = absl::StatusCode::kNotFound;
  } else if (error == ENOSPC || error == EDQUOT) {
    code = absl::StatusCode::kResourceExhausted;
  } else if (error == ELOOP || error == EISDIR) {
    code = absl::StatusCode::kInvalidArgument;
  }
  return MakeStatus(code, "store {}: {}: {}", path, doing,
                    std::generic_category().message(error));
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

absl::StatusOr<std::string> ResolvePath(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name =
      slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return InvalidArgument("store {}: this is a folder; name a file", path);
  }
  std::array<char, PATH_MAX> real;
  if (realpath(folder.c_str(), real.data()) == nullptr) {
    return SystemError(path, "find its folder", errno);
  }
  std::string resolved = real.data();
  if (resolved.back() != '/') resolved += '/';
  resolved += name;
  struct stat found;
  if (lstat(resolved.c_str(), &found) != 0) {
    if (errno == ENOENT) return resolved;
    return SystemError(path, "look at it", errno);
  }
  if (S_ISLNK(found.st_mode)) {
    return InvalidArgument(
        "store {}: this is a symbolic link; name the file itself", path);
  }
  if (!S_ISREG(found.st_mode)) {
    return InvalidArgument("store {}: this is not a regular file", path);
  }
  return resolved;
}

absl::StatusOr<StoreLock> StoreLock::Take(const std::string& path) {
  const std::string name = path + ".lock";
  Descriptor file(
      open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!file.valid()) return SystemError(name, "open the lock", errno);
  LockContents contents;
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError(name, "lock", errno);
    const ssize_t n = pread(file.get(), &contents, sizeof contents, 0);
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "store {}: process {} has it open, and a store is opened "
                      "by one at a time; stop that one or name another file",
                      path, n > 0 ? contents.process : 0);
  }
  if (fchmod(file.get(), kMode) != 0) {
    return SystemError(name, "set mode 0600", errno);
  }
  StoreLock lock(std::move(file));
  const ssize_t n = pread(lock.file_.get(), &contents, sizeof contents, 0);
  if (n == ssize_t{sizeof contents}) {
    for (const auto& mark : contents.marks) {
      if (mark.check == Crc32c(mark.commits, 0) && mark.commits > lock.mark_) {
        lock.mark_ = mark.commits;
      }
    }
  }
  lock.SetMark(lock.mark_);
  return lock;
}

void StoreLock::SetMark(uint64_t commits) {
  mark_ = commits;
  LockContents contents;
  contents.process = static_cast<uint64_t>(getpid());
  for (auto& mark : contents.marks) {
    mark = {commits, Crc32c(commits, 0)};
  }
  // A mark that could not be written is an older one: less evidence, and no
  // false one.
  [[maybe_unused]] const ssize_t n =
      pwrite(file_.get(), &contents, sizeof contents, 0);
}

bool DiskReserve::Take() {
  if (held_) return true;
  const Descriptor file(
      open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!file.valid()) return false;
  held_ = posix_fallocate(file.get(), 0, bytes_) == 0;
  // What could be had of it is no use, and is in others' way.
  if (!held_) unlink(path_.c_str());
  return held_;
}

bool DiskReserve::Release() {
  if (!held_) return false;
  held_ = false;
  return unlink(path_.c_str()) == 0;
}

absl::StatusOr<bool> CheckFile(const std::string& path, uint64_t mark) {
  const Descriptor file(
      open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid() && errno != ENOENT) {
    return SystemError(path, "open", errno);
  }
  std::string head;
  if (file.valid()) {
    head.resize(kHead);
    const ssize_t n = pread(file.get(), head.data(), head.size(), 0);
    if (n < 0) return SystemError(path, "read", errno);
    head.resize(static_cast<size_t>(n));
  }
  if (head.empty()) {
    if (mark == 0) return false;
    return MakeStatus(
        absl::StatusCode::kDataLoss,
        "store {}: it is {}, but {} commits to it were acknowledged; put it "
        "back, or remove {}.lock as well to begin anew",
        path, file.valid() ? "empty" : "gone", mark, path);
  }
  TIELINE_RETURN_IF_ERROR(CheckHead(path, head, mark > 0));
  if (fchmod(file.get(), kMode) != 0) {
    return SystemError(path, "set mode 0600", errno);
  }
  TIELINE_RETURN_IF_ERROR(Restrict(path + "-wal"));
  return true;
}

absl::Status MakeEmptyFile(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const std::string name = path + suffix;
    if (unlink(name.c_str()) != 0 && errno != ENOENT) {
      return SystemError(name, "remove", errno);
    }
  }
  const Descriptor file(open(
      path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!file.valid()) return SystemError(path, "make it", errno);
  if (fchmod(file.get(), kMode) != 0) {
    return SystemError(path, "set mode 0600", errno);
  }
  return absl::OkStatus();
}

absl::Status MoveFile(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return SystemError(from, "rename", errno);
  }
  return SyncFolder(to);
}

absl::Status SyncFolder(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const Descriptor file(
      open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.valid() || fsync(file.get()) != 0) {
    return SystemError(folder, "sync", errno);
  }
  return absl::OkStatus();
}

}  // namespace tieline::inline v0::store
