#include "adapters/amqp/wire/group_id.h"

#include "absl/strings/escaping.h"
#include "adapters/amqp/wire/value_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {

bool IsPlainGroupId(std::string_view key) {
  return !key.starts_with(kEncodedKeyPrefix) &&
         key.find('\0') == std::string_view::npos && IsUtf8(key);
}

std::string EncodeGroupId(std::string_view key) {
  std::string text(kEncodedKeyPrefix);
  text += absl::Base64Escape(ToAbsl(key));
  return text;
}

bool DecodeGroupId(std::string_view group_id, std::string* key) {
  if (!group_id.starts_with(kEncodedKeyPrefix)) return false;
  const std::string_view text = group_id.substr(kEncodedKeyPrefix.size());
  // Unescaping is lenient: only what escaping makes is taken back.
  return absl::Base64Unescape(ToAbsl(text), key) &&
         EncodeGroupId(*key) == group_id && !IsPlainGroupId(*key);
}

}  // namespace tieline::inline v0::amqp::wire
