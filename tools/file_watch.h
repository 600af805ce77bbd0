// FileWatch: whether a file was changed, by looking at it now and then.
#ifndef TIELINE_TOOLS_FILE_WATCH_H_
#define TIELINE_TOOLS_FILE_WATCH_H_

#include <cstdint>
#include <string>
#include <tuple>

#include "absl/time/time.h"

namespace tieline::tools {

class FileWatch {
 public:
  // What the file is now counts as known.
  explicit FileWatch(std::string path);

  // Looks at it, at most every half second. True once for each change, when the
  // file has stood still from one look to the next, so that it is not read
  // while it is being written. A file that is not there is no change.
  bool Changed(absl::Time now);

 private:
  // Which file it is, its size, and when it was written.
  using Mark = std::tuple<uint64_t, int64_t, int64_t, int64_t>;
  Mark Look() const;

  const std::string path_;
  Mark known_;
  Mark seen_;
  absl::Time next_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_FILE_WATCH_H_
