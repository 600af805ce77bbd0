// Properties keep their names, types and values.
#include <cmath>
#include <limits>

#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

// Sends a message with these properties and compares what arrives.
void Survive(Rig& rig, const Properties& sent) {
  Message message("with properties");
  for (const Property& p : sent) message.set_property(p.name, p.value);
  const Message got = rig.RoundTrip(std::move(message));
  for (const Property& p : sent) {
    INFO(p.name << ": " << TypeName(p.value.type()) << " " << p.value.ToText());
    const Value* value = got.properties().Find(p.name);
    REQUIRE(value != nullptr);
    INFO("arrived: " << TypeName(value->type()) << " " << value->ToText());
    CHECK(*value == p.value);
  }
  CHECK(got.properties().size() == sent.size());
}

template <typename T>
Properties SignedLimits(Type type) {
  using Limits = std::numeric_limits<T>;
  return {{"min", Value::Signed(type, Limits::min())},
          {"minus", Value::Signed(type, -1)},
          {"zero", Value::Signed(type, 0)},
          {"max", Value::Signed(type, Limits::max())}};
}

template <typename T>
Properties UnsignedLimits(Type type) {
  using Limits = std::numeric_limits<T>;
  return {{"zero", Value::Unsigned(type, 0)},
          {"one", Value::Unsigned(type, 1)},
          {"half", Value::Unsigned(type, Limits::max() / 2 + 1)},
          {"max", Value::Unsigned(type, Limits::max())}};
}

std::array<uint8_t, 16> Raw(uint8_t first) {
  std::array<uint8_t, 16> raw{};
  for (size_t i = 0; i < 16; ++i) raw[i] = static_cast<uint8_t>(first + i);
  return raw;
}

std::array<uint8_t, 16> RawDecimal(size_t width) {
  std::array<uint8_t, 16> raw = Raw(0x22);
  for (size_t i = width; i < 16; ++i) raw[i] = 0;
  return raw;
}

struct OfType {
  Type type;
  Properties (*values)();
};

const OfType kTypes[] = {
    {Type::kNull,
     [] {
       return Properties{{"none", Value()}};
     }},
    {Type::kBool,
     [] {
       return Properties{{"yes", true}, {"no", false}};
     }},
    {Type::kUByte, [] { return UnsignedLimits<uint8_t>(Type::kUByte); }},
    {Type::kUShort, [] { return UnsignedLimits<uint16_t>(Type::kUShort); }},
    {Type::kUInt, [] { return UnsignedLimits<uint32_t>(Type::kUInt); }},
    {Type::kULong, [] { return UnsignedLimits<uint64_t>(Type::kULong); }},
    {Type::kByte, [] { return SignedLimits<int8_t>(Type::kByte); }},
    {Type::kShort, [] { return SignedLimits<int16_t>(Type::kShort); }},
    {Type::kInt, [] { return SignedLimits<int32_t>(Type::kInt); }},
    {Type::kLong, [] { return SignedLimits<int64_t>(Type::kLong); }},
    {Type::kFloat,
     [] {
       using L = std::numeric_limits<float>;
       return Properties{{"max", L::max()},         {"min", L::min()},
                         {"tiny", L::denorm_min()}, {"inf", L::infinity()},
                         {"minus", -0.0f},          {"nan", L::quiet_NaN()},
                         {"third", 1.0f / 3}};
     }},
    {Type::kDouble,
     [] {
       using L = std::numeric_limits<double>;
       return Properties{{"max", L::max()},         {"min", L::min()},
                         {"tiny", L::denorm_min()}, {"inf", -L::infinity()},
                         {"minus", -0.0},           {"nan", L::quiet_NaN()},
                         {"third", 1.0 / 3}};
     }},
    {Type::kDecimal32,
     [] {
       return Properties{
           {"d", Value::Decimal(Type::kDecimal32, RawDecimal(4))}};
     }},
    {Type::kDecimal64,
     [] {
       return Properties{
           {"d", Value::Decimal(Type::kDecimal64, RawDecimal(8))}};
     }},
    {Type::kDecimal128,
     [] {
       return Properties{
           {"d", Value::Decimal(Type::kDecimal128, RawDecimal(16))}};
     }},
    {Type::kChar,
     [] {
       return Properties{{"a", Value::Unsigned(Type::kChar, 'a')},
                         {"plug", Value::Unsigned(Type::kChar, 0x1f50c)}};
     }},
    {Type::kTimestamp,
     [] {
       return Properties{{"epoch", Value::TimestampMillis(0)},
                         {"before", Value::TimestampMillis(-62135596800000)},
                         {"now", Value::TimestampMillis(1700000000123)},
                         {"far", Value::TimestampMillis(253402300799999)}};
     }},
    {Type::kUuid,
     [] {
       return Properties{{"u", Value(Uuid(Raw(0x10)))}};
     }},
    {Type::kBinary,
     [] {
       return Properties{
           {"empty", Value::Binary("")},
           {"bytes", Value::Binary(std::string_view("\0\xff\x80 x", 5))}};
     }},
    {Type::kString,
     [] {
       return Properties{{"empty", ""},
                         {"text", "Köln 充电 🔌"},
                         {"long", std::string(32000, 's')}};
     }},
    {Type::kSymbol,
     [] {
       return Properties{{"empty", Value::Symbol("")},
                         {"name", Value::Symbol("com.example:thing")}};
     }},
};

// One behaviour for each type.
[[maybe_unused]] const bool kTypesAdded = [] {
  for (const OfType& of : kTypes) {
    AddBehaviour(
        "properties of type " + std::string(TypeName(of.type)) + " survive",
        "[properties][types]", [&of](Rig& rig) { Survive(rig, of.values()); });
  }
  return true;
}();

BEHAVIOUR("200 properties survive", "[properties]") {
  Properties many;
  for (int i = 0; i < 200; ++i) {
    many.Set("property-" + std::to_string(i), Value(int64_t{i} * i));
  }
  Survive(rig, many);
}

BEHAVIOUR("property names of any text survive", "[properties]") {
  Survive(rig, {{"x", 1},
                {"with space", 2},
                {"with-dash.and_dot/slash", 3},
                {"Größe", 4},
                {"充电", 5},
                {std::string(200, 'n'), 6},
                {"UPPER", 7},
                {"upper", 8}});
}

BEHAVIOUR("properties with names of standard fields stay properties",
          "[properties]") {
  Survive(rig, {{"id", "not the id"},
                {"key", "not the key"},
                {"content-type", "not it"},
                {"subject", 5},
                {"tieline", true}});
}

BEHAVIOUR("the order of properties does not change what they are",
          "[properties]") {
  Survive(rig, {{"z", 1}, {"a", "2"}, {"m", Value()}, {"b", 4.0}});
}

BEHAVIOUR("trace context survives", "[properties]") {
  Message message("traced");
  message.set_trace_parent(
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  message.set_trace_state("vendor=value");
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.trace_parent() ==
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  CHECK(got.trace_state() == "vendor=value");
}

}  // namespace
}  // namespace tieline::conformance
