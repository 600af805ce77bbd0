#include "tools/edit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "lib/base/status.h"

namespace tieline::tools {
namespace {

absl::Status Failed(const std::string& path, const char* doing) {
  return MakeStatus(absl::StatusCode::kUnavailable, "{}: cannot {}: {}", path,
                    doing, std::strerror(errno));
}

absl::Status Fill(int fd, const std::string& path, std::string_view text,
                  const struct stat& like) {
  while (!text.empty()) {
    const ssize_t put = write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Failed(path, "write it");
    text.remove_prefix(static_cast<size_t>(put));
  }
  // Another's file, edited by root, stays theirs.
  const bool is_other = like.st_uid != geteuid() || like.st_gid != getegid();
  if (is_other && fchown(fd, like.st_uid, like.st_gid) != 0) {
    return Failed(path, "keep its owner");
  }
  if (fchmod(fd, like.st_mode & 07777) != 0) {
    return Failed(path, "keep its mode");
  }
  if (fsync(fd) != 0) return Failed(path, "sync it");
  return absl::OkStatus();
}

}  // namespace

absl::Status ReplaceFile(const std::string& path, std::string_view text) {
  const std::unique_ptr<char, void (*)(void*)> real(
      realpath(path.c_str(), nullptr), &std::free);
  if (real == nullptr) return Failed(path, "find it");
  const std::string file = real.get();
  struct stat now = {};
  if (stat(file.c_str(), &now) != 0) return Failed(file, "look at it");
  std::string made = file + ".XXXXXX";
  const int fd = mkostemp(made.data(), O_CLOEXEC);
  if (fd < 0) return Failed(made, "make it");
  absl::Status status = Fill(fd, made, text, now);
  if (close(fd) != 0 && status.ok()) status = Failed(made, "write it");
  if (status.ok() && rename(made.c_str(), file.c_str()) != 0) {
    status = Failed(file, "replace it");
  }
  if (!status.ok()) unlink(made.c_str());
  return status;
}

}  // namespace tieline::tools
