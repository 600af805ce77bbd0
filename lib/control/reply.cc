#include "lib/control/reply.h"

#include "lib/base/status.h"

namespace tieline::inline v0::control {
namespace {

constexpr int kLastCode = static_cast<int>(absl::StatusCode::kUnauthenticated);

std::string TextOf(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

std::string ToLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string CodeName(absl::StatusCode code) {
  return absl::StatusCodeToString(code);
}

absl::StatusCode CodeOf(std::string_view name) {
  for (int i = 1; i <= kLastCode; ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    if (CodeName(code) == name) return code;
  }
  return absl::StatusCode::kUnknown;
}

std::string ErrorReply(const absl::Status& status) {
  return ToLine({{"ok", false},
                 {"code", CodeName(status.code())},
                 {"error", std::string(MessageOf(status))}});
}

absl::StatusOr<Json> ReadReply(std::string_view line) {
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean()) {
    return absl::InternalError(
        "control socket: the answer is no JSON object with \"ok\"");
  }
  if (json["ok"].get<bool>()) return json;
  return absl::Status(CodeOf(TextOf(json, "code")), TextOf(json, "error"));
}

}  // namespace tieline::inline v0::control
