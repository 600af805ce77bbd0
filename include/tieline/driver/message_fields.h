// MessageFields: the decoded fields of a message, as codecs fill and read them.
#ifndef TIELINE_DRIVER_MESSAGE_FIELDS_H_
#define TIELINE_DRIVER_MESSAGE_FIELDS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tieline/message.h"
#include "tieline/properties.h"
#include "tieline/value.h"

namespace tieline::inline v0 {

struct MessageFields {
  // Which fields the message has: bit Field f is 1 << f. kKey is kept beside
  // the fields, in the message itself.
  uint32_t present = 0;
  bool has(Field f) const { return (present >> static_cast<int>(f)) & 1u; }
  void mark(Field f) { present |= 1u << static_cast<int>(f); }
  void unmark(Field f) { present &= ~(1u << static_cast<int>(f)); }

  Type id_type = Type::kString;
  Type correlation_id_type = Type::kString;
  uint8_t priority = 4;
  bool durable = true;
  uint32_t group_sequence = 0;
  int32_t partition = -1;
  std::string id;
  std::string correlation_id;
  std::string subject;
  std::string content_type;
  std::string content_encoding;
  std::string to;
  std::string reply_to;
  std::string reply_to_key;
  std::string user_id;
  absl::Duration ttl = absl::InfiniteDuration();
  absl::Time created = absl::InfinitePast();
  absl::Time expires = absl::InfiniteFuture();
  absl::Time deliver_at = absl::InfinitePast();
  Value body_value;  // of a kValue or kSequence body
  // Of a received message with NativeParts::kind_by_fields.
  BodyKind body_kind = BodyKind::kData;
  Properties properties;
  Properties annotations;
  Properties footer;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_DRIVER_MESSAGE_FIELDS_H_
