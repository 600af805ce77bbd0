// Keys, which are bytes, as AMQP group ids, which are text (AMQP 1.0 section
// 3.2.4), and back, byte for byte.
//
// Threads: stateless.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_GROUP_ID_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_GROUP_ID_H_

#include <string>
#include <string_view>

namespace tieline::inline v0::amqp::wire {

inline constexpr std::string_view kEncodedKeyPrefix = "tieline:b64:";

// True when the key is its own group id: UTF-8 without NUL that does not begin
// with the prefix.
bool IsPlainGroupId(std::string_view key);
// The group id of a key that is not: the prefix and the key's base64.
std::string EncodeGroupId(std::string_view key);
// True, with the key, when EncodeGroupId made this group id.
bool DecodeGroupId(std::string_view group_id, std::string* key);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_GROUP_ID_H_
