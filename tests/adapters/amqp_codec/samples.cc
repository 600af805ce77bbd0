#include "tests/adapters/amqp_codec/samples.h"

#include <cmath>
#include <limits>

#include "adapters/amqp/wire/value_codec.h"
#include "fmt/format.h"
#include "tests/support/catch.h"
#include "tieline/driver/message_access.h"

namespace tieline::amqp_codec_test {

std::string Bin(std::string_view hex) {
  std::string bytes;
  int half = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half < 0) {
      half = digit;
    } else {
      bytes += static_cast<char>(half * 16 + digit);
      half = -1;
    }
  }
  return bytes;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  }
  return hex;
}

namespace {

std::array<uint8_t, 16> Raw16() {
  return {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
          0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
}

void AddNumbers(std::vector<Vector>* v) {
  v->push_back({Value::Unsigned(Type::kUByte, 0), Bin("50 00"), {}});
  v->push_back({Value::Unsigned(Type::kUByte, 255), Bin("50 ff"), {}});
  v->push_back({Value::Unsigned(Type::kUShort, 65535), Bin("60 ffff"), {}});
  v->push_back(
      {Value(uint32_t{0}), Bin("43"), {Bin("52 00"), Bin("70 00000000")}});
  v->push_back({Value(uint32_t{255}), Bin("52 ff"), {Bin("70 000000ff")}});
  v->push_back({Value(uint32_t{256}), Bin("70 00000100"), {}});
  v->push_back({Value(~uint32_t{0}), Bin("70 ffffffff"), {}});
  v->push_back({Value(uint64_t{0}),
                Bin("44"),
                {Bin("53 00"), Bin("80 0000000000000000")}});
  v->push_back(
      {Value(uint64_t{255}), Bin("53 ff"), {Bin("80 00000000000000ff")}});
  v->push_back({Value(uint64_t{256}), Bin("80 0000000000000100"), {}});
  v->push_back({Value(~uint64_t{0}), Bin("80 ffffffffffffffff"), {}});
  v->push_back({Value::Signed(Type::kByte, -128), Bin("51 80"), {}});
  v->push_back({Value::Signed(Type::kByte, 127), Bin("51 7f"), {}});
  v->push_back({Value::Signed(Type::kShort, -32768), Bin("61 8000"), {}});
  v->push_back({Value(int32_t{-1}), Bin("54 ff"), {Bin("71 ffffffff")}});
  v->push_back({Value(int32_t{127}), Bin("54 7f"), {Bin("71 0000007f")}});
  v->push_back({Value(int32_t{128}), Bin("71 00000080"), {}});
  v->push_back({Value(int32_t{-129}), Bin("71 ffffff7f"), {}});
  v->push_back(
      {Value(int64_t{-128}), Bin("55 80"), {Bin("81 ffffffffffffff80")}});
  v->push_back({Value(int64_t{128}), Bin("81 0000000000000080"), {}});
  v->push_back({Value(std::numeric_limits<int64_t>::min()),
                Bin("81 8000000000000000"),
                {}});
  v->push_back({Value(1.5f), Bin("72 3fc00000"), {}});
  v->push_back({Value(-2.0), Bin("82 c000000000000000"), {}});
}

}  // namespace

std::vector<Vector> Vectors() {
  std::vector<Vector> v;
  v.push_back({Value(), Bin("40"), {}});
  v.push_back({Value(true), Bin("41"), {Bin("56 01")}});
  v.push_back({Value(false), Bin("42"), {Bin("56 00")}});
  AddNumbers(&v);
  const auto raw = Raw16();
  v.push_back({Value::Decimal(Type::kDecimal32, raw), Bin("74 00112233"), {}});
  v.push_back(
      {Value::Decimal(Type::kDecimal64, raw), Bin("84 0011223344556677"), {}});
  v.push_back({Value::Decimal(Type::kDecimal128, raw),
               Bin("94 00112233445566778899aabbccddeeff"),
               {}});
  v.push_back({Value::Unsigned(Type::kChar, 0x1f600), Bin("73 0001f600"), {}});
  v.push_back(
      {Value::TimestampMillis(1311704463521), Bin("83 0000013167adb8a1"), {}});
  v.push_back({Value::TimestampMillis(-1), Bin("83 ffffffffffffffff"), {}});
  v.push_back({Value(raw), Bin("98 00112233445566778899aabbccddeeff"), {}});
  v.push_back({Value::Binary(""), Bin("a0 00"), {Bin("b0 00000000")}});
  v.push_back({Value::Binary(Bin("00ff")),
               Bin("a0 02 00ff"),
               {Bin("b0 00000002 00ff")}});
  v.push_back({Value("Hello"),
               Bin("a1 05 48656c6c6f"),
               {Bin("b1 00000005 48656c6c6f")}});
  v.push_back(
      {Value::Symbol("ab"), Bin("a3 02 6162"), {Bin("b3 00000002 6162")}});
  const std::string long_text(256, 'x');
  v.push_back({Value(long_text), Bin("b1 00000100") + long_text, {}});
  const std::string longest8(255, 'y');
  v.push_back({Value::Binary(longest8),
               Bin("a0 ff") + longest8,
               {Bin("b0 000000ff") + longest8}});
  return v;
}

std::vector<Value> EveryValue() {
  std::vector<Value> values;
  for (const Vector& v : Vectors()) values.push_back(v.value);
  for (const double d : {0.0, -0.0, std::numeric_limits<double>::infinity(),
                         std::numeric_limits<double>::quiet_NaN(),
                         std::numeric_limits<double>::denorm_min()}) {
    values.emplace_back(d);
    values.emplace_back(static_cast<float>(d));
  }
  values.push_back(Value::TimestampMillis(std::numeric_limits<int64_t>::min()));
  values.push_back(Value::TimestampMillis(std::numeric_limits<int64_t>::max()));
  values.emplace_back("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  values.emplace_back(std::string("a\0b", 3));
  const auto composite = [&](Type type, std::string_view hex) {
    values.push_back(Value::Composite(type, Bin(hex)));
  };
  composite(Type::kList, "45");
  composite(Type::kList, "c0 07 03 40 54 01 a1 01 78");
  composite(Type::kMap, "c1 01 00");
  composite(Type::kMap, "c1 06 02 a1 01 6b 54 01");
  composite(Type::kArray, "e0 05 03 50 01 02 03");
  composite(Type::kArray, "e0 08 02 a3 02 6162 02 6364");
  composite(Type::kArray, "e0 02 00 40");
  composite(Type::kDescribed, "00 a3 03 666f6f 54 07");
  composite(Type::kDescribed, "00 80 0000000100000002 c0 01 00");
  return values;
}

Message FullMessage() {
  Message m("the body");
  m.set_id("id-1").set_key("charger-17").set_correlation_id("c-1");
  m.set_subject("subject").set_content_type("application/json");
  m.set_content_encoding("gzip").set_to("to").set_reply_to("reply-to");
  m.set_reply_to_key("reply-key").set_user_id(std::string("\0\xff", 2));
  m.set_group_sequence(7).set_priority(9).set_durable(false);
  m.set_ttl(absl::Milliseconds(123456));
  m.set_created(absl::FromUnixMillis(1700000000123));
  m.set_expires(absl::FromUnixMillis(1800000000456));
  m.set_deliver_at(absl::FromUnixMillis(1750000000789));
  m.set_partition(3);
  int n = 0;
  for (const Value& value : EveryValue()) {
    m.set_property(fmt::format("p{}", n++), value);
  }
  m.set_annotation("x-opt-foo", Value(int64_t{5}));
  m.set_annotation("x-opt-map", Value::Composite(Type::kMap, Bin("c1 01 00")));
  m.mutable_footer().Set("crc", Value(uint32_t{77}));
  return m;
}

std::string Encoded(const Value& value) {
  amqp::wire::Writer writer;
  const absl::Status status = amqp::wire::WriteValue(value, &writer);
  INFO(status.message());
  REQUIRE(status.ok());
  return std::string(writer.view());
}

std::string Difference(const Message& a, const Message& b) {
  if (a.body_kind() != b.body_kind()) return "body kind";
  if (a.body_view() != b.body_view()) return "body";
  if (!(a.body_value() == b.body_value())) return "body value";
  if (a.has(Field::kKey) != b.has(Field::kKey) || a.key() != b.key()) {
    return "key";
  }
  const MessageFields& f = driver::FieldsOf(a);
  const MessageFields& g = driver::FieldsOf(b);
  if (f.present != g.present) {
    return fmt::format("fields present: {:x} and {:x}", f.present, g.present);
  }
  if (f.id != g.id || f.id_type != g.id_type) return "id";
  if (f.correlation_id != g.correlation_id ||
      f.correlation_id_type != g.correlation_id_type) {
    return "correlation id";
  }
  if (f.priority != g.priority || f.durable != g.durable || f.ttl != g.ttl) {
    return "header";
  }
  if (f.subject != g.subject || f.to != g.to || f.reply_to != g.reply_to ||
      f.reply_to_key != g.reply_to_key || f.content_type != g.content_type ||
      f.content_encoding != g.content_encoding || f.user_id != g.user_id) {
    return "text fields";
  }
  if (f.created != g.created || f.expires != g.expires ||
      f.deliver_at != g.deliver_at) {
    return "times";
  }
  if (f.group_sequence != g.group_sequence || f.partition != g.partition) {
    return "numbers";
  }
  for (const Property& p : f.properties) {
    const Value* v = g.properties.Find(p.name);
    if (v == nullptr || !(*v == p.value)) {
      return fmt::format("property {} ({})", p.name, TypeName(p.value.type()));
    }
  }
  if (f.properties.size() != g.properties.size()) return "property count";
  if (!(f.annotations == g.annotations)) return "annotations";
  if (!(f.footer == g.footer)) return "footer";
  return "";
}

}  // namespace tieline::amqp_codec_test
