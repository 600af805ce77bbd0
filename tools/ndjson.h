// A message as one line of JSON, and back without loss:
//
//   {"id":"7","key":"charger-17","body":"...","properties":{"n":5}}
//
// - "body" is UTF-8 text, "body_base64" any bytes, null no body; "body_value"
//   and "body_sequence" are AMQP values.
// - Text that isn't UTF-8 goes into the same member with _base64 behind its
//   name ("key_base64", "user_id_base64", ...).
// - Values (properties, annotations, footer) are natural JSON where that says
//   the type: text is a string, true and false bools, null null, whole numbers
//   longs, numbers with a point or exponent doubles. All else is
//   {"type":"uint","value":"5"}, with the value's text as Value::ToText gives
//   it; properties whose names aren't UTF-8 are listed under
//   "properties_raw" as {"name_base64":..., "value":...}.
// - Times are RFC 3339, "ttl_ms" milliseconds; an id that isn't a string has
//   its type in "id_type" ("correlation_id_type").
// - "delivery" says where a received message came from; reading ignores it.
#ifndef TIELINE_TOOLS_NDJSON_H_
#define TIELINE_TOOLS_NDJSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tieline/delivery.h"
#include "tieline/message.h"

namespace tieline::tools {

// Without the line break.
std::string ToJsonLine(const Message& message);
std::string ToJsonLine(const Delivery& delivery);

// kInvalidArgument says what was found and expected. Never throws.
absl::StatusOr<Message> FromJsonLine(std::string_view text);

// True when the text reads as a message in this form: an object with a body
// and no members that are unknown here.
bool LooksLikeMessage(std::string_view text);

bool IsUtf8(std::string_view text);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_NDJSON_H_
