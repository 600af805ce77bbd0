// The form of answers: {"ok":true,...}, or {"ok":false,"code":"NOT_FOUND",
// "error":"..."}.
#ifndef TIELINE_LIB_CONTROL_REPLY_H_
#define TIELINE_LIB_CONTROL_REPLY_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tieline::inline v0::control {

using Json = nlohmann::ordered_json;

// One line, without its line break. Bytes that are no UTF-8 are replaced.
std::string ToLine(const Json& json);

// "NOT_FOUND"; what has no such name reads as kUnknown.
std::string CodeName(absl::StatusCode code);
absl::StatusCode CodeOf(std::string_view name);

std::string ErrorReply(const absl::Status& status);

// The answer, or the error that it tells. kInternal: it is no answer.
absl::StatusOr<Json> ReadReply(std::string_view line);

}  // namespace tieline::inline v0::control

#endif  // TIELINE_LIB_CONTROL_REPLY_H_
