// Making and extending statuses with std::string_view and fmt.
#ifndef TIELINE_LIB_BASE_STATUS_H_
#define TIELINE_LIB_BASE_STATUS_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

namespace tieline::inline v0 {

// Between the two string_view types, where Abseil is built as C++14.
inline absl::string_view ToAbsl(std::string_view s) {
  return {s.data(), s.size()};
}
inline std::string_view FromAbsl(absl::string_view s) {
  return {s.data(), s.size()};
}

template <typename... Args>
absl::Status MakeStatus(absl::StatusCode code,
                        fmt::format_string<Args...> format, Args&&... args) {
  return absl::Status(code, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
absl::Status InvalidArgument(fmt::format_string<Args...> format,
                             Args&&... args) {
  return absl::InvalidArgumentError(
      fmt::format(format, std::forward<Args>(args)...));
}

// The message of `status`, as a std::string_view.
inline std::string_view MessageOf(const absl::Status& status) {
  return FromAbsl(status.message());
}

// `status` with "context: " before its message; OK stays OK.
inline absl::Status Annotate(const absl::Status& status,
                             std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      fmt::format("{}: {}", context, MessageOf(status)));
}

}  // namespace tieline::inline v0

#define TIELINE_CONCAT_INNER(a, b) a##b
#define TIELINE_CONCAT(a, b) TIELINE_CONCAT_INNER(a, b)

#define TIELINE_RETURN_IF_ERROR(expr)                       \
  do {                                                      \
    if (absl::Status tieline_s = (expr); !tieline_s.ok()) { \
      return tieline_s;                                     \
    }                                                       \
  } while (false)

#define TIELINE_ASSIGN_OR_RETURN(lhs, expr) \
  TIELINE_ASSIGN_OR_RETURN_INNER(TIELINE_CONCAT(tieline_v, __LINE__), lhs, expr)
#define TIELINE_ASSIGN_OR_RETURN_INNER(var, lhs, expr) \
  auto var = (expr);                                   \
  if (!var.ok()) return var.status();                  \
  lhs = *std::move(var)

#endif  // TIELINE_LIB_BASE_STATUS_H_
