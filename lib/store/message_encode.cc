// Messages into bytes.
#include <bit>
#include <cstdint>

#include "absl/time/time.h"
#include "lib/store/message_codec.h"
#include "lib/store/stored_numbers.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace store {
namespace {

void PutByte(uint8_t byte, std::string* out) {
  out->push_back(static_cast<char>(byte));
}

void PutNumber(uint64_t n, std::string* out) {
  for (; n >= 0x80; n >>= 7) PutByte(static_cast<uint8_t>(n | 0x80), out);
  PutByte(static_cast<uint8_t>(n), out);
}

void PutSigned(int64_t n, std::string* out) {
  PutNumber((static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63),
            out);
}

void PutText(std::string_view text, std::string* out) {
  PutNumber(text.size(), out);
  out->append(text);
}

void PutBits(uint64_t bits, std::string* out) {
  for (int shift = 0; shift < 64; shift += 8) {
    PutByte(static_cast<uint8_t>(bits >> shift), out);
  }
}

void PutTag(Tag tag, std::string* out) {
  PutByte(static_cast<uint8_t>(tag), out);
}

// 0, whole seconds, and quarters of nanoseconds above them; 1 and 2 are without
// end either way.
void PutDuration(absl::Duration d, std::string* out) {
  if (d == absl::InfiniteDuration() || d == -absl::InfiniteDuration()) {
    PutByte(d > absl::ZeroDuration() ? 1 : 2, out);
    return;
  }
  absl::Duration rest;
  int64_t seconds = absl::IDivDuration(d, absl::Seconds(1), &rest);
  if (rest < absl::ZeroDuration()) {
    --seconds;
    rest += absl::Seconds(1);
  }
  PutByte(0, out);
  PutSigned(seconds, out);
  const absl::Duration tick = absl::Nanoseconds(1) / 4;
  PutNumber(static_cast<uint64_t>(absl::IDivDuration(rest, tick, &rest)), out);
}

void PutTime(absl::Time time, std::string* out) {
  PutDuration(time - absl::UnixEpoch(), out);
}

void PutValue(const Value& value, std::string* out) {
  PutByte(NumberOf(kStoredTypes, value.type()), out);
  switch (value.type()) {
    case Type::kNull:
      break;
    case Type::kBool:
    case Type::kUByte:
    case Type::kUShort:
    case Type::kUInt:
    case Type::kULong:
    case Type::kChar:
      PutNumber(value.unsigned_bits(), out);
      break;
    case Type::kByte:
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
    case Type::kTimestamp:
      PutSigned(value.signed_bits(), out);
      break;
    case Type::kFloat:
    case Type::kDouble:
      PutBits(std::bit_cast<uint64_t>(value.double_bits()), out);
      break;
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128:
    case Type::kUuid:
      for (const uint8_t byte : value.raw()) PutByte(byte, out);
      break;
    default:
      PutText(value.text(), out);
  }
}

void PutAll(Tag tag, const Properties& list, std::string* out) {
  for (const Property& p : list) {
    PutTag(tag, out);
    PutText(p.name, out);
    PutValue(p.value, out);
  }
}

void PutId(Tag tag, Type type, std::string_view id, std::string* out) {
  PutTag(tag, out);
  PutByte(NumberOf(kStoredTypes, type), out);
  PutText(id, out);
}

// Between the id and the properties.
void PutOthers(const MessageFields& f, std::string* out) {
  const auto text = [&](Field field, Tag tag, std::string_view value) {
    if (!f.has(field)) return;
    PutTag(tag, out);
    PutText(value, out);
  };
  const auto number = [&](Field field, Tag tag, uint64_t value) {
    if (!f.has(field)) return;
    PutTag(tag, out);
    PutNumber(value, out);
  };
  const auto time = [&](Field field, Tag tag, absl::Time value) {
    if (!f.has(field)) return;
    PutTag(tag, out);
    PutTime(value, out);
  };
  if (f.has(Field::kCorrelationId)) {
    PutId(Tag::kCorrelationId, f.correlation_id_type, f.correlation_id, out);
  }
  text(Field::kSubject, Tag::kSubject, f.subject);
  text(Field::kContentType, Tag::kContentType, f.content_type);
  text(Field::kContentEncoding, Tag::kContentEncoding, f.content_encoding);
  text(Field::kTo, Tag::kTo, f.to);
  text(Field::kReplyTo, Tag::kReplyTo, f.reply_to);
  text(Field::kReplyToKey, Tag::kReplyToKey, f.reply_to_key);
  text(Field::kUserId, Tag::kUserId, f.user_id);
  number(Field::kGroupSequence, Tag::kGroupSequence, f.group_sequence);
  number(Field::kPriority, Tag::kPriority, f.priority);
  number(Field::kDurable, Tag::kDurable, f.durable ? 1 : 0);
  if (f.has(Field::kTtl)) {
    PutTag(Tag::kTtl, out);
    PutDuration(f.ttl, out);
  }
  time(Field::kCreated, Tag::kCreated, f.created);
  time(Field::kExpires, Tag::kExpires, f.expires);
  time(Field::kDeliverAt, Tag::kDeliverAt, f.deliver_at);
  if (f.has(Field::kPartition)) {
    PutTag(Tag::kPartition, out);
    PutSigned(f.partition, out);
  }
}

}  // namespace
}  // namespace store

void EncodeStored(const Message& message, std::string* out) {
  using namespace store;  // NOLINT: the parts above
  const BodyKind kind = message.body_kind();
  PutByte(kStoredVersion, out);
  PutByte(NumberOf(kStoredKinds, kind), out);
  if (message.has(Field::kKey)) {
    PutTag(Tag::kKey, out);
    PutText(message.key(), out);
  }
  if (message.has(Field::kId)) {
    PutId(Tag::kId, message.id_type(), message.id(), out);
  }
  if (const Properties* only = driver::LightPropertiesOf(message)) {
    PutAll(Tag::kProperty, *only, out);
  } else {
    const MessageFields& fields = driver::FieldsOf(message);
    PutOthers(fields, out);
    if (kind == BodyKind::kValue || kind == BodyKind::kSequence) {
      PutTag(Tag::kBodyValue, out);
      PutValue(message.body_value(), out);
    }
    PutAll(Tag::kProperty, fields.properties, out);
    PutAll(Tag::kAnnotation, fields.annotations, out);
    PutAll(Tag::kFooter, fields.footer, out);
  }
  PutTag(Tag::kEnd, out);
  if (kind == BodyKind::kData) out->append(message.body_view());
}

}  // namespace tieline::inline v0
