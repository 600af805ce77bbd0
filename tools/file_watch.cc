#include "tools/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace tieline::tools {
namespace {

constexpr absl::Duration kEvery = absl::Milliseconds(500);

}  // namespace

FileWatch::FileWatch(std::string path)
    : path_(std::move(path)), known_(Look()), seen_(known_) {}

bool FileWatch::Changed(absl::Time now) {
  if (now < next_) return false;
  next_ = now + kEvery;
  const Mark mark = Look();
  const bool stands_still = mark == seen_;
  seen_ = mark;
  if (mark == known_ || mark == Mark() || !stands_still) return false;
  known_ = mark;
  return true;
}

FileWatch::Mark FileWatch::Look() const {
  struct stat found = {};
  if (stat(path_.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size, found.st_mtim.tv_sec,
          found.st_mtim.tv_nsec};
}

}  // namespace tieline::tools
