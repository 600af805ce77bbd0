#include "tieline/value.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/catch.h"

namespace tieline {
namespace {

std::vector<Value> Samples() {
  std::array<uint8_t, 16> raw{};
  for (size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<uint8_t>(i + 1);
  return {
      Value(),
      Value(true),
      Value(false),
      Value::Unsigned(Type::kUByte, 255),
      Value::Unsigned(Type::kUShort, 65535),
      Value(std::numeric_limits<uint32_t>::max()),
      Value(std::numeric_limits<uint64_t>::max()),
      Value::Signed(Type::kByte, -128),
      Value::Signed(Type::kShort, -32768),
      Value(std::numeric_limits<int32_t>::min()),
      Value(std::numeric_limits<int64_t>::min()),
      Value(0.1f),
      Value(std::numeric_limits<float>::denorm_min()),
      Value(-0.0),
      Value(std::numeric_limits<double>::max()),
      Value(std::numeric_limits<double>::infinity()),
      Value(std::bit_cast<double>(uint64_t{0x7ff8000000000123})),
      Value::Decimal(Type::kDecimal32, raw),
      Value::Decimal(Type::kDecimal64, raw),
      Value::Decimal(Type::kDecimal128, raw),
      Value::Unsigned(Type::kChar, 0x1F600),
      Value::TimestampMillis(0),
      Value::TimestampMillis(1700000000123),
      Value::TimestampMillis(-1),
      Value::TimestampMillis(std::numeric_limits<int64_t>::max()),
      Value(Uuid{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}),
      Value::Binary(std::string_view("\0\xff", 2)),
      Value("text \xc3\xa9"),
      Value(""),
      Value::Symbol("amqp:sym"),
      Value::Composite(Type::kList, "\x45"),
  };
}

TEST_CASE("every value reads back from its text") {
  for (const Value& v : Samples()) {
    INFO(TypeName(v.type()) << " " << v.ToText());
    absl::StatusOr<Value> again = Value::Parse(v.type(), v.ToText());
    REQUIRE(again.ok());
    CHECK(*again == v);
  }
}

TEST_CASE("every type has a name that finds it") {
  for (int i = 0; i <= static_cast<int>(Type::kDescribed); ++i) {
    const auto type = static_cast<Type>(i);
    CHECK(TypeFromName(TypeName(type)) == type);
  }
  CHECK_FALSE(TypeFromName("nonsense").has_value());
}

TEST_CASE("accessors convert only what fits") {
  CHECK(Value(uint64_t{7}).AsInt64() == 7);
  CHECK_FALSE(Value(std::numeric_limits<uint64_t>::max()).AsInt64());
  CHECK_FALSE(Value(int64_t{-1}).AsUInt64());
  CHECK_FALSE(Value("1").AsInt64());
  CHECK(Value::Symbol("s").AsString() == "s");
  CHECK_FALSE(Value::Binary("s").AsString());
  CHECK(Value(1.5f).AsDouble() == 1.5);
}

TEST_CASE("text of the wrong form is refused with what was expected") {
  const std::vector<std::pair<Type, const char*>> bad = {
      {Type::kBool, "yes"},       {Type::kUByte, "256"},
      {Type::kUByte, "-1"},       {Type::kInt, "2147483648"},
      {Type::kLong, ""},          {Type::kLong, "1x"},
      {Type::kDouble, "one"},     {Type::kTimestamp, "yesterday"},
      {Type::kUuid, "0011"},      {Type::kBinary, "?"},
      {Type::kDecimal32, "AAA="}, {Type::kNull, "null"},
      {Type::kChar, "A"},
  };
  for (const auto& [type, text] : bad) {
    INFO(TypeName(type) << " " << text);
    absl::StatusOr<Value> v = Value::Parse(type, text);
    REQUIRE_FALSE(v.ok());
    CHECK(v.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(v.status().ToString().find("expected") != std::string::npos);
  }
}

}  // namespace
}  // namespace tieline
