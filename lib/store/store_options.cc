#include "lib/store/store_options.h"

#include <limits>
#include <string_view>

#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 40;
constexpr int64_t kMaxCount = 100'000'000;

absl::Status InRange(std::string_view name, int64_t value, int64_t least,
                     int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidArgument("store: {} has to be from {} to {}, not {}", name,
                         least, most, value);
}

}  // namespace

absl::Status StoreOptions::Validate() const {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return InvalidArgument("store: path has to name a file");
  }
  TIELINE_RETURN_IF_ERROR(InRange("spool_bytes", spool_bytes, 0, kMaxBytes));
  TIELINE_RETURN_IF_ERROR(InRange("inbox_ids", inbox_ids, 0, kMaxCount));
  TIELINE_RETURN_IF_ERROR(
      InRange("journal_bytes", journal_bytes, 0, kMaxBytes));
  TIELINE_RETURN_IF_ERROR(InRange("queues", queues, 1, kMaxCount));
  TIELINE_RETURN_IF_ERROR(
      InRange("commit_bytes", commit_bytes, 4 << 10, 64 << 20));
  TIELINE_RETURN_IF_ERROR(
      InRange("waiting_bytes", waiting_bytes, commit_bytes, kMaxBytes));
  TIELINE_RETURN_IF_ERROR(
      InRange("segment_bytes", segment_bytes, 1 << 10, commit_bytes));
  if (stop_within < absl::ZeroDuration()) {
    return InvalidArgument("store: stop_within must not be negative");
  }
  if (clock == nullptr) return InvalidArgument("store: clock must be set");
  return absl::OkStatus();
}

}  // namespace tieline::inline v0
