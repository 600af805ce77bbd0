// Messages into bytes and back: every field, every type, nothing else.
#include "lib/store/message_codec.h"

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "tests/support/catch.h"
#include "tieline/driver/message_access.h"

namespace tieline {
namespace {

const absl::Time kTime = absl::FromUnixMicros(1'763'000'000'123'456);

std::string Encoded(const Message& message) {
  std::string bytes;
  EncodeStored(message, &bytes);
  return bytes;
}

Message Decoded(std::string_view bytes) {
  absl::StatusOr<Message> message = DecodeStored(bytes);
  INFO(message.status());
  REQUIRE(message.ok());
  return *std::move(message);
}

void CheckSame(const Message& a, const Message& b) {
  CHECK(a.body_kind() == b.body_kind());
  CHECK(a.body_view() == b.body_view());
  CHECK(a.body_value() == b.body_value());
  CHECK(a.has(Field::kKey) == b.has(Field::kKey));
  CHECK(a.key() == b.key());
  CHECK(a.has(Field::kId) == b.has(Field::kId));
  CHECK(a.id() == b.id());
  CHECK(a.id_type() == b.id_type());
  const MessageFields& f = driver::FieldsOf(a);
  const MessageFields& g = driver::FieldsOf(b);
  CHECK(f.present == g.present);
  CHECK(f.correlation_id == g.correlation_id);
  CHECK(f.correlation_id_type == g.correlation_id_type);
  CHECK(f.subject == g.subject);
  CHECK(f.content_type == g.content_type);
  CHECK(f.content_encoding == g.content_encoding);
  CHECK(f.to == g.to);
  CHECK(f.reply_to == g.reply_to);
  CHECK(f.reply_to_key == g.reply_to_key);
  CHECK(f.user_id == g.user_id);
  CHECK(f.group_sequence == g.group_sequence);
  CHECK(f.priority == g.priority);
  CHECK(f.durable == g.durable);
  CHECK(f.ttl == g.ttl);
  CHECK(f.created == g.created);
  CHECK(f.expires == g.expires);
  CHECK(f.deliver_at == g.deliver_at);
  CHECK(f.partition == g.partition);
  CHECK(f.properties == g.properties);
  CHECK(f.annotations == g.annotations);
  CHECK(f.footer == g.footer);
}

void CheckTrip(const Message& message) {
  const std::string bytes = Encoded(message);
  const Message back = Decoded(bytes);
  CheckSame(message, back);
  CHECK(Encoded(back) == bytes);
}

Message Full() {
  Message m("body");
  m.set_key(std::string("key\0\xff", 5)).set_id("id-1");
  m.set_correlation_id("17", Type::kULong).set_subject("subject");
  m.set_content_type("text/plain").set_content_encoding("gzip");
  m.set_to("to").set_reply_to("reply").set_reply_to_key("reply key");
  m.set_user_id(std::string("\0\x80", 2)).set_group_sequence(4'000'000'000u);
  m.set_priority(9).set_durable(false).set_ttl(absl::Hours(5));
  m.set_created(kTime).set_expires(kTime + absl::Hours(1));
  m.set_deliver_at(kTime - absl::Hours(1)).set_partition(3);
  m.set_property("charger", "c17").set_property("count", int64_t{-5});
  m.set_annotation("x-opt-a", Value(uint32_t{7}));
  m.mutable_footer().Set("signature", Value::Binary("\x01\x02"));
  return m;
}

std::vector<Value> OneOfEach() {
  const std::array<uint8_t, 16> raw = {1, 2, 3, 4, 5, 6, 7, 8,
                                       9, 0, 1, 2, 3, 4, 5, 255};
  return {
      Value(),
      Value(true),
      Value(false),
      Value::Unsigned(Type::kUByte, 255),
      Value::Unsigned(Type::kUShort, 65535),
      Value::Unsigned(Type::kUInt, UINT32_MAX),
      Value(UINT64_MAX),
      Value(uint64_t{0}),
      Value::Signed(Type::kByte, -128),
      Value::Signed(Type::kShort, -32768),
      Value(INT32_MIN),
      Value(INT64_MIN),
      Value(INT64_MAX),
      Value(1.5f),
      Value(std::numeric_limits<float>::infinity()),
      Value(std::numeric_limits<float>::quiet_NaN()),
      Value(-0.0),
      Value(0.1),
      Value(std::numeric_limits<double>::quiet_NaN()),
      Value::Decimal(Type::kDecimal32, {1, 2, 3, 4}),
      Value::Decimal(Type::kDecimal64, {1, 2, 3, 4, 5, 6, 7, 8}),
      Value::Decimal(Type::kDecimal128, raw),
      Value::Unsigned(Type::kChar, 0x10ffff),
      Value::TimestampMillis(-1),
      Value::TimestampMillis(INT64_MAX),
      Value(Uuid(raw)),
      Value::Binary(std::string("\0\xff", 2)),
      Value::Binary(""),
      Value("text"),
      Value(std::string(1000, 'x')),
      Value::Symbol("symbol"),
      Value::Composite(Type::kList, "\x45"),
      Value::Composite(Type::kMap, std::string("\xc1\x01\x00", 3)),
      Value::Composite(Type::kArray, std::string("\xe0\x02\x00\x41", 4)),
      Value::Composite(Type::kDescribed, std::string("\x00\x44\x44", 3)),
  };
}

TEST_CASE("a stored message has every field again") { CheckTrip(Full()); }

TEST_CASE("fields alone are stored as well") {
  for (const Field field :
       {Field::kKey, Field::kId, Field::kCorrelationId, Field::kSubject,
        Field::kContentType, Field::kContentEncoding, Field::kTo,
        Field::kReplyTo, Field::kReplyToKey, Field::kUserId,
        Field::kGroupSequence, Field::kPriority, Field::kDurable, Field::kTtl,
        Field::kCreated, Field::kExpires, Field::kDeliverAt,
        Field::kPartition}) {
    INFO("field " << static_cast<int>(field));
    Message without = Full();
    without.clear(field);
    REQUIRE_FALSE(without.has(field));
    CheckTrip(without);
  }
  CheckTrip(Message());
  CheckTrip(Message("only a body"));
  Message empty;
  empty.set_key("").set_subject("").set_id("");
  CheckTrip(empty);
}

TEST_CASE("values keep their exact types and bits") {
  Message all;
  int n = 0;
  for (const Value& value : OneOfEach()) {
    INFO(TypeName(value.type()) << " " << value.ToText());
    Message property("m");
    property.set_property("p", value);
    CheckTrip(property);
    Message body;
    body.set_value_body(value);
    CheckTrip(body);
    const std::string name = "p" + std::to_string(n++);
    all.set_property(name, value).set_annotation(name, value);
    all.mutable_footer().Set(name, value);
  }
  CheckTrip(all);
}

TEST_CASE("null, empty, value and sequence bodies differ") {
  CheckTrip(Message(""));
  Message null_body("m");
  null_body.set_null_body();
  CheckTrip(null_body);
  Message value;
  value.set_value_body(Value("text"));
  CheckTrip(value);
  Message sequence;
  sequence.set_sequence_body(Value::Composite(Type::kList, "\x45"));
  CheckTrip(sequence);
  CHECK(Encoded(Message()) != Encoded(Message("")));
}

TEST_CASE("ids keep their types, and short ones stay light") {
  for (const Type type :
       {Type::kString, Type::kULong, Type::kUuid, Type::kBinary}) {
    Message message("m");
    message.set_id("17", type);
    CheckTrip(message);
  }
  Message stamped("m");
  driver::StampId(stamped, "k3x9q0v7m2p4-1");
  stamped.set_property("p", 1).set_key("k");
  CheckTrip(stamped);
  const Message back = Decoded(Encoded(stamped));
  CHECK(driver::LightPropertiesOf(back) != nullptr);
}

TEST_CASE("times are stored to the last bit, also those without end") {
  for (const absl::Time time :
       {absl::InfinitePast(), absl::InfiniteFuture(), absl::UnixEpoch(),
        absl::UnixEpoch() - absl::Nanoseconds(1),
        kTime + absl::Nanoseconds(1) / 4, absl::FromUnixSeconds(INT64_MAX),
        absl::FromUnixSeconds(INT64_MIN + 1)}) {
    Message message;
    message.set_created(time).set_expires(time).set_deliver_at(time);
    CheckTrip(message);
  }
  Message forever;
  forever.set_ttl(absl::InfiniteDuration());
  CheckTrip(forever);
}

TEST_CASE("what is stored stays readable: these bytes were version 1") {
  Message message("b");
  message.set_key("k").set_id("i").set_priority(7).set_property("n", 300);
  const std::string bytes(
      "\x01\x01\x01\x01k\x02\x13\x01i\x0c\x07"
      "\x14\x01n\x08\xd8\x04\x00"
      "b",
      19);
  CHECK(Encoded(message) == bytes);
  CheckSame(message, Decoded(bytes));
}

TEST_CASE("a message that is cut short is refused, or had a longer body") {
  const std::string bytes = Encoded(Full());
  const size_t body = bytes.size() - 4;
  for (size_t size = 0; size < bytes.size(); ++size) {
    INFO(size << " of " << bytes.size());
    const auto cut = DecodeStored(std::string_view(bytes).substr(0, size));
    CHECK(cut.ok() == (size >= body));
    if (!cut.ok()) CHECK(absl::IsDataLoss(cut.status()));
  }
}

TEST_CASE("what no encoder writes is refused") {
  const auto code = [](std::string_view bytes) {
    return DecodeStored(bytes).status().code();
  };
  using namespace std::string_view_literals;  // NOLINT
  CHECK(code("\x01\x01\x00"sv) == absl::StatusCode::kOk);
  CHECK(code("\x02\x01\x00"sv) == absl::StatusCode::kUnimplemented);
  for (const std::string_view bytes : {
           ""sv,
           "\x01\x04\x00"sv,                       // kind of body
           "\x01\x01\x17\x00"sv,                   // tag
           "\x01\x01\x04\x01s\x01\x01k\x00"sv,     // order of tags
           "\x01\x01\x04\x01s\x04\x01s\x00"sv,     // twice
           "\x01\x00\x00m"sv,                      // a null body with bytes
           "\x01\x02\x00"sv,                       // a value body without value
           "\x01\x01\x13\x00\x00"sv,               // data with a value
           "\x01\x01\x02\x08\x01i\x00"sv,          // an id of type int
           "\x01\x01\x0d\x02\x00"sv,               // durable: 2
           "\x01\x01\x14\x01p\x19\x00"sv,          // type
           "\x01\x01\x14\x01p\x02\x80\x02\x00"sv,  // a ubyte of 256
           "\x01\x01\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"sv,
           "\x01\x01\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00"sv,
       }) {
    INFO(fmt::format("{:02x}", fmt::join(bytes, " ")));
    CHECK(code(bytes) == absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace tieline
