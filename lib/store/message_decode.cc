// Messages out of bytes, which may be anything.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/store/message_codec.h"
#include "lib/store/stored_numbers.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace store {
namespace {

// Reads off the front. The first thing that is not there, or is wrong, makes
// all that follows empty.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t at() const { return at_; }
  std::string_view rest() const { return bytes_.substr(at_); }
  // Says that what was read is wrong.
  void Refuse() { ok_ = false; }

  std::string_view Take(uint64_t size) {
    if (!ok_ || size > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }
  uint8_t Byte() {
    const std::string_view taken = Take(1);
    return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
  }
  // At most `most`.
  uint64_t Number(uint64_t most = UINT64_MAX) {
    uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      n |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) != 0) continue;
      const bool cut = shift == 63 && byte > 1;
      if (cut || n > most) break;
      return n;
    }
    ok_ = false;
    return 0;
  }
  int64_t Signed(int64_t least = INT64_MIN, int64_t most = INT64_MAX) {
    const uint64_t n = Number();
    const auto value = static_cast<int64_t>((n >> 1) ^ (~(n & 1) + 1));
    if (value < least || value > most) ok_ = false;
    return ok_ ? value : 0;
  }
  std::string_view Text() { return Take(Number()); }
  uint64_t Bits() {
    uint64_t bits = 0;
    int shift = 0;
    for (const char c : Take(8)) {
      bits |= uint64_t{static_cast<uint8_t>(c)} << shift;
      shift += 8;
    }
    return bits;
  }
  absl::Duration Duration() {
    constexpr uint64_t kTicks = 4'000'000'000;  // in a second
    switch (Byte()) {
      case 0:
        break;
      case 1:
        return absl::InfiniteDuration();
      case 2:
        return -absl::InfiniteDuration();
      default:
        ok_ = false;
    }
    const int64_t seconds = Signed();
    const auto ticks = static_cast<int64_t>(Number(kTicks - 1));
    return absl::Seconds(seconds) + absl::Nanoseconds(1) / 4 * ticks;
  }
  absl::Time Time() { return absl::UnixEpoch() + Duration(); }
  Type TypeOf() {
    const uint8_t number = Byte();
    if (number < kStoredTypes.size()) return kStoredTypes[number];
    ok_ = false;
    return Type::kNull;
  }

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

template <typename T>
Value Unsigned(Type type, Input* in) {
  return Value::Unsigned(type, in->Number(std::numeric_limits<T>::max()));
}

template <typename T>
Value Signed(Type type, Input* in) {
  return Value::Signed(type, in->Signed(std::numeric_limits<T>::min(),
                                        std::numeric_limits<T>::max()));
}

Value Floating(Type type, Input* in) {
  const uint64_t bits = in->Bits();
  const auto number = std::bit_cast<double>(bits);
  const bool fits = std::isnan(number) || std::isinf(number) ||
                    double{static_cast<float>(number)} == number;
  if (type == Type::kFloat && !fits) in->Refuse();
  Value value;
  value.AssignBits(type, bits);
  return value;
}

Value Raw(Type type, Input* in) {
  Uuid raw{};
  size_t i = 0;
  for (const char c : in->Take(raw.size())) raw[i++] = static_cast<uint8_t>(c);
  return type == Type::kUuid ? Value(raw) : Value::Decimal(type, raw);
}

Value TakeValue(Input* in) {
  constexpr uint64_t kLastChar = 0x10ffff;
  const Type type = in->TypeOf();
  switch (type) {
    case Type::kNull:
      return {};
    case Type::kBool:
      return Value::Unsigned(type, in->Number(1));
    case Type::kUByte:
      return Unsigned<uint8_t>(type, in);
    case Type::kUShort:
      return Unsigned<uint16_t>(type, in);
    case Type::kUInt:
      return Unsigned<uint32_t>(type, in);
    case Type::kULong:
      return Unsigned<uint64_t>(type, in);
    case Type::kChar:
      return Value::Unsigned(type, in->Number(kLastChar));
    case Type::kByte:
      return Signed<int8_t>(type, in);
    case Type::kShort:
      return Signed<int16_t>(type, in);
    case Type::kInt:
      return Signed<int32_t>(type, in);
    case Type::kLong:
    case Type::kTimestamp:
      return Signed<int64_t>(type, in);
    case Type::kFloat:
    case Type::kDouble:
      return Floating(type, in);
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128:
    case Type::kUuid:
      return Raw(type, in);
    default: {
      Value value;
      value.AssignText(type, in->Text());
      return value;
    }
  }
}

bool IsIdType(Type type) {
  return type == Type::kString || type == Type::kULong || type == Type::kUuid ||
         type == Type::kBinary;
}

Type IdType(Input* in) {
  const Type type = in->TypeOf();
  if (!IsIdType(type)) in->Refuse();
  return type;
}

void TakeProperty(Input* in, Properties* list) {
  const std::string_view name = in->Text();
  Value value = TakeValue(in);
  if (in->ok()) list->Append(name, std::move(value));
}

void TakeField(Tag tag, BodyKind kind, Input* in, Message* m) {
  switch (tag) {
    case Tag::kKey:
      m->set_key(in->Text());
      break;
    case Tag::kId: {
      const Type type = IdType(in);
      const std::string_view id = in->Text();
      // A short one takes no memory of its own.
      if (type != Type::kString || !driver::StampId(*m, id)) {
        m->set_id(id, type);
      }
      break;
    }
    case Tag::kCorrelationId: {
      const Type type = IdType(in);
      m->set_correlation_id(in->Text(), type);
      break;
    }
    case Tag::kSubject:
      m->set_subject(in->Text());
      break;
    case Tag::kContentType:
      m->set_content_type(in->Text());
      break;
    case Tag::kContentEncoding:
      m->set_content_encoding(in->Text());
      break;
    case Tag::kTo:
      m->set_to(in->Text());
      break;
    case Tag::kReplyTo:
      m->set_reply_to(in->Text());
      break;
    case Tag::kReplyToKey:
      m->set_reply_to_key(in->Text());
      break;
    case Tag::kUserId:
      m->set_user_id(in->Text());
      break;
    case Tag::kGroupSequence:
      m->set_group_sequence(static_cast<uint32_t>(in->Number(UINT32_MAX)));
      break;
    case Tag::kPriority:
      m->set_priority(static_cast<uint8_t>(in->Number(UINT8_MAX)));
      break;
    case Tag::kDurable:
      m->set_durable(in->Number(1) != 0);
      break;
    case Tag::kTtl:
      m->set_ttl(in->Duration());
      break;
    case Tag::kCreated:
      m->set_created(in->Time());
      break;
    case Tag::kExpires:
      m->set_expires(in->Time());
      break;
    case Tag::kDeliverAt:
      m->set_deliver_at(in->Time());
      break;
    case Tag::kPartition:
      m->set_partition(static_cast<int32_t>(in->Signed(INT32_MIN, INT32_MAX)));
      break;
    case Tag::kBodyValue:
      if (kind == BodyKind::kValue) {
        m->set_value_body(TakeValue(in));
      } else if (kind == BodyKind::kSequence) {
        m->set_sequence_body(TakeValue(in));
      } else {
        in->Refuse();
      }
      break;
    case Tag::kProperty:
      TakeProperty(in, &m->mutable_properties());
      break;
    case Tag::kAnnotation:
      TakeProperty(in, &m->mutable_annotations());
      break;
    case Tag::kFooter:
      TakeProperty(in, &m->mutable_footer());
      break;
    case Tag::kEnd:
      break;
  }
}

absl::Status NotAMessage(size_t at, std::string_view what) {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "a stored message is damaged at byte {}: {}", at, what);
}

}  // namespace
}  // namespace store

absl::StatusOr<Message> DecodeStored(std::string_view bytes) {
  using namespace store;  // NOLINT: the parts above
  Input in(bytes);
  const uint8_t version = in.Byte();
  const uint8_t kind_number = in.Byte();
  if (!in.ok()) return NotAMessage(in.at(), "it is too short");
  if (version != kStoredVersion) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      "a stored message has version {}, expected {}; use the "
                      "Tieline that wrote it",
                      version, kStoredVersion);
  }
  if (kind_number >= kStoredKinds.size()) {
    return NotAMessage(1, "there is no such kind of body");
  }
  const BodyKind kind = kStoredKinds[kind_number];
  Message message;
  bool has_body_value = false;
  for (uint8_t last = 0;;) {
    const size_t at = in.at();
    const uint8_t number = in.Byte();
    if (!in.ok()) return NotAMessage(at, "it ends within its fields");
    if (number == static_cast<uint8_t>(Tag::kEnd)) break;
    const auto tag = static_cast<Tag>(number);
    const bool again = number == last && tag >= Tag::kProperty;
    if (number >= kTags || (number <= last && !again)) {
      return NotAMessage(at, "a field is unknown or out of its order");
    }
    last = number;
    has_body_value |= tag == Tag::kBodyValue;
    TakeField(tag, kind, &in, &message);
    if (!in.ok()) return NotAMessage(at, "a field has no such value");
  }
  const bool by_value = kind == BodyKind::kValue || kind == BodyKind::kSequence;
  if (by_value != has_body_value) {
    return NotAMessage(in.at(), "its body is not of its kind");
  }
  if (kind == BodyKind::kData) {
    message.set_body(in.rest());
  } else if (!in.rest().empty()) {
    return NotAMessage(in.at(), "bytes follow where none belong");
  }
  return message;
}

}  // namespace tieline::inline v0
