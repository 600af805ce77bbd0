// IsPermanent: which errors wait for someone to mend them.
#ifndef TIELINE_LIB_BASE_PERMANENT_H_
#define TIELINE_LIB_BASE_PERMANENT_H_

#include "absl/status/status.h"

namespace tieline::inline v0 {

// True for errors that trying again soon won't mend.
inline bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_PERMANENT_H_
