// Replaces the text of a file that somebody else may read at any moment.
#ifndef TIELINE_TOOLS_EDIT_FILE_H_
#define TIELINE_TOOLS_EDIT_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tieline::tools {

// Writes a file beside `path`, with its mode and owner, syncs it, and puts it
// in its place: readers see the old text or the new one. A symbolic link stays,
// and the file that it names is replaced. kUnavailable, with the reason; the
// file is as it was then.
absl::Status ReplaceFile(const std::string& path, std::string_view text);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_EDIT_FILE_H_
