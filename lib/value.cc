#include "tieline/value.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace {

constexpr std::array<std::string_view, 25> kTypeNames = {
    "null",   "boolean",   "ubyte",     "ushort",    "uint",
    "ulong",  "byte",      "short",     "int",       "long",
    "float",  "double",    "decimal32", "decimal64", "decimal128",
    "char",   "timestamp", "uuid",      "binary",    "string",
    "symbol", "list",      "map",       "array",     "described",
};

bool IsSigned(Type t) {
  return t == Type::kByte || t == Type::kShort || t == Type::kInt ||
         t == Type::kLong;
}

bool IsUnsigned(Type t) {
  return t == Type::kUByte || t == Type::kUShort || t == Type::kUInt ||
         t == Type::kULong;
}

size_t DecimalWidth(Type t) {
  return t == Type::kDecimal32 ? 4 : t == Type::kDecimal64 ? 8 : 16;
}

int64_t CutSigned(Type type, int64_t v) {
  switch (type) {
    case Type::kByte:
      return static_cast<int8_t>(v);
    case Type::kShort:
      return static_cast<int16_t>(v);
    case Type::kInt:
      return static_cast<int32_t>(v);
    default:
      return v;
  }
}

uint64_t CutUnsigned(Type type, uint64_t v) {
  switch (type) {
    case Type::kBool:
      return v != 0 ? 1 : 0;
    case Type::kUByte:
      return static_cast<uint8_t>(v);
    case Type::kUShort:
      return static_cast<uint16_t>(v);
    case Type::kUInt:
    case Type::kChar:
      return static_cast<uint32_t>(v);
    default:
      return v;
  }
}

template <typename T>
std::string NumberText(T v) {
  std::array<char, 64> buffer;
  auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + 64, v);
  return std::string(buffer.data(), end);
}

// NaNs by their bits ("nan:7ff8000000000001"), as a NaN's payload is kept.
std::string FloatText(Type type, double v) {
  if (std::isnan(v)) {
    return fmt::format("nan:{:016x}", std::bit_cast<uint64_t>(v));
  }
  return type == Type::kFloat ? NumberText(static_cast<float>(v))
                              : NumberText(v);
}

constexpr int64_t kMinPrintableMs = -62167219200000;  // year 0
constexpr int64_t kMaxPrintableMs = 253402300799999;  // year 9999

std::string TimestampText(int64_t ms) {
  if (ms < kMinPrintableMs || ms > kMaxPrintableMs) {
    return fmt::format("ms:{}", ms);
  }
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
}

std::string UuidText(const Uuid& u) {
  std::string text;
  for (size_t i = 0; i < u.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", u[i]);
  }
  return text;
}

std::string Base64(std::string_view bytes) {
  return absl::Base64Escape(ToAbsl(bytes));
}

absl::Status Expected(Type type, std::string_view text, std::string_view what) {
  return InvalidArgument("\"{}\" is not a {}: expected {}", text.substr(0, 80),
                         TypeName(type), what);
}

template <typename T>
absl::StatusOr<T> ParseNumber(Type type, std::string_view text,
                              std::string_view what) {
  T v{};
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc() || end != text.data() + text.size() || text.empty()) {
    return Expected(type, text, what);
  }
  return v;
}

absl::StatusOr<Value> ParseInteger(Type type, std::string_view text) {
  if (IsSigned(type)) {
    TIELINE_ASSIGN_OR_RETURN(
        int64_t v, ParseNumber<int64_t>(type, text, "a whole number"));
    if (CutSigned(type, v) != v) {
      return Expected(type, text, "a number in its range");
    }
    return Value::Signed(type, v);
  }
  TIELINE_ASSIGN_OR_RETURN(
      uint64_t v, ParseNumber<uint64_t>(type, text, "a whole number >= 0"));
  if (CutUnsigned(type, v) != v) {
    return Expected(type, text, "a number in its range");
  }
  return Value::Unsigned(type, v);
}

absl::StatusOr<Value> ParseFloat(Type type, std::string_view text) {
  if (text.substr(0, 4) == "nan:") {
    uint64_t bits = 0;
    auto [end, ec] =
        std::from_chars(text.data() + 4, text.data() + text.size(), bits, 16);
    const double v = std::bit_cast<double>(bits);
    if (ec == std::errc() && end == text.data() + text.size() &&
        std::isnan(v)) {
      return type == Type::kFloat ? Value(static_cast<float>(v)) : Value(v);
    }
    return Expected(type, text, "nan:<16 hexadecimal digits of a NaN>");
  }
  if (type == Type::kFloat) {
    TIELINE_ASSIGN_OR_RETURN(float v,
                             ParseNumber<float>(type, text, "a number"));
    return Value(v);
  }
  TIELINE_ASSIGN_OR_RETURN(double v,
                           ParseNumber<double>(type, text, "a number"));
  return Value(v);
}

absl::StatusOr<Value> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kWhat =
      "RFC 3339 (2026-01-31T12:00:00.000Z) or ms:<milliseconds since 1970>";
  if (text.substr(0, 3) == "ms:") {
    TIELINE_ASSIGN_OR_RETURN(
        int64_t ms,
        ParseNumber<int64_t>(Type::kTimestamp, text.substr(3), kWhat));
    return Value::TimestampMillis(ms);
  }
  absl::Time t;
  std::string error;
  if (text.empty() || text.size() > 64 || text.find("infinite") == 0 ||
      !absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &t, &error) ||
      t == absl::InfiniteFuture() || t == absl::InfinitePast()) {
    return Expected(Type::kTimestamp, text, kWhat);
  }
  return Value(t);
}

absl::StatusOr<Value> ParseUuid(std::string_view text) {
  constexpr std::string_view kWhat = "00112233-4455-6677-8899-aabbccddeeff";
  if (text.size() != 36) return Expected(Type::kUuid, text, kWhat);
  Uuid u;
  size_t at = 0;
  for (size_t i = 0; i < text.size();) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return Expected(Type::kUuid, text, kWhat);
      ++i;
      continue;
    }
    auto [end, ec] =
        std::from_chars(text.data() + i, text.data() + i + 2, u[at], 16);
    if (ec != std::errc() || end != text.data() + i + 2) {
      return Expected(Type::kUuid, text, kWhat);
    }
    ++at;
    i += 2;
  }
  return Value(u);
}

absl::StatusOr<Value> ParseChar(std::string_view text) {
  uint32_t v = 0;
  if (text.substr(0, 2) == "U+") {
    auto [end, ec] =
        std::from_chars(text.data() + 2, text.data() + text.size(), v, 16);
    if (ec == std::errc() && end == text.data() + text.size()) {
      return Value::Unsigned(Type::kChar, v);
    }
  }
  return Expected(Type::kChar, text, "U+<hexadecimal code point>");
}

absl::StatusOr<Value> ParseBase64(Type type, std::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(ToAbsl(text), &bytes)) {
    return Expected(type, text, "base64");
  }
  if (type == Type::kBinary) return Value::Binary(bytes);
  if (type != Type::kDecimal32 && type != Type::kDecimal64 &&
      type != Type::kDecimal128) {
    return Value::Composite(type, bytes);
  }
  if (bytes.size() != DecimalWidth(type)) {
    return Expected(type, text, "base64 of its 4, 8 or 16 bytes");
  }
  std::array<uint8_t, 16> raw{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    raw[i] = static_cast<uint8_t>(bytes[i]);
  }
  return Value::Decimal(type, raw);
}

}  // namespace

std::string_view TypeName(Type type) {
  const auto i = static_cast<size_t>(type);
  return i < kTypeNames.size() ? kTypeNames[i] : "unknown";
}

std::optional<Type> TypeFromName(std::string_view name) {
  for (size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames[i] == name) return static_cast<Type>(i);
  }
  return std::nullopt;
}

Value::Value(absl::Time v) : type_(Type::kTimestamp) {
  bits_.i = absl::ToUnixMillis(v);
}

void Value::CopyToHeap(std::string_view text) {
  bits_.heap = new char[text.size()];
  std::memcpy(bits_.heap, text.data(), text.size());
  on_heap_ = true;
}

void Value::FreeHeap() const { delete[] bits_.heap; }

Value Value::Signed(Type type, int64_t v) {
  Value value;
  value.type_ = type;
  value.bits_.i = CutSigned(type, v);
  return value;
}

Value Value::Unsigned(Type type, uint64_t v) {
  Value value;
  value.type_ = type;
  value.bits_.u = CutUnsigned(type, v);
  return value;
}

Value Value::Decimal(Type type, const std::array<uint8_t, 16>& raw) {
  Value value;
  value.type_ = type;
  value.bits_.raw = raw;
  for (size_t i = DecimalWidth(type); i < raw.size(); ++i) {
    value.bits_.raw[i] = 0;
  }
  return value;
}

std::optional<bool> Value::AsBool() const {
  if (type_ != Type::kBool) return std::nullopt;
  return bits_.u != 0;
}

std::optional<int64_t> Value::AsInt64() const {
  if (IsSigned(type_)) return bits_.i;
  if (IsUnsigned(type_) &&
      bits_.u <= uint64_t{std::numeric_limits<int64_t>::max()}) {
    return static_cast<int64_t>(bits_.u);
  }
  return std::nullopt;
}

std::optional<uint64_t> Value::AsUInt64() const {
  if (IsUnsigned(type_) || type_ == Type::kChar) return bits_.u;
  if (IsSigned(type_) && bits_.i >= 0) return static_cast<uint64_t>(bits_.i);
  return std::nullopt;
}

std::optional<double> Value::AsDouble() const {
  if (type_ != Type::kFloat && type_ != Type::kDouble) return std::nullopt;
  return bits_.d;
}

std::optional<std::string_view> Value::AsString() const {
  if (type_ != Type::kString && type_ != Type::kSymbol) return std::nullopt;
  return text();
}

std::optional<std::string_view> Value::AsBinary() const {
  if (type_ != Type::kBinary) return std::nullopt;
  return text();
}

std::optional<absl::Time> Value::AsTimestamp() const {
  if (type_ != Type::kTimestamp) return std::nullopt;
  return absl::FromUnixMillis(bits_.i);
}

std::optional<Uuid> Value::AsUuid() const {
  if (type_ != Type::kUuid) return std::nullopt;
  return bits_.raw;
}

std::string Value::ToText() const {
  switch (type_) {
    case Type::kNull:
      return "";
    case Type::kBool:
      return bits_.u != 0 ? "true" : "false";
    case Type::kUByte:
    case Type::kUShort:
    case Type::kUInt:
    case Type::kULong:
      return NumberText(bits_.u);
    case Type::kByte:
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
      return NumberText(bits_.i);
    case Type::kFloat:
    case Type::kDouble:
      return FloatText(type_, bits_.d);
    case Type::kChar:
      return fmt::format("U+{:04X}", bits_.u);
    case Type::kTimestamp:
      return TimestampText(bits_.i);
    case Type::kUuid:
      return UuidText(bits_.raw);
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128: {
      std::string bytes;
      for (size_t i = 0; i < DecimalWidth(type_); ++i) {
        bytes += static_cast<char>(bits_.raw[i]);
      }
      return Base64(bytes);
    }
    case Type::kString:
    case Type::kSymbol:
      return std::string(text());
    case Type::kBinary:
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return Base64(text());
  }
  return "";
}

absl::StatusOr<Value> Value::Parse(Type type, std::string_view text) {
  switch (type) {
    case Type::kNull:
      if (text.empty()) return Value();
      return Expected(type, text, "an empty text");
    case Type::kBool:
      if (text == "true") return Value(true);
      if (text == "false") return Value(false);
      return Expected(type, text, "true or false");
    case Type::kUByte:
    case Type::kUShort:
    case Type::kUInt:
    case Type::kULong:
    case Type::kByte:
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
      return ParseInteger(type, text);
    case Type::kFloat:
    case Type::kDouble:
      return ParseFloat(type, text);
    case Type::kChar:
      return ParseChar(text);
    case Type::kTimestamp:
      return ParseTimestamp(text);
    case Type::kUuid:
      return ParseUuid(text);
    case Type::kString:
      return Value(text);
    case Type::kSymbol:
      return Value::Symbol(text);
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128:
    case Type::kBinary:
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return ParseBase64(type, text);
  }
  return Expected(type, text, "a known type");
}

bool operator==(const Value& a, const Value& b) {
  if (a.type_ != b.type_) return false;
  switch (a.type_) {
    case Type::kNull:
      return true;
    case Type::kFloat:
    case Type::kDouble:
      return std::bit_cast<uint64_t>(a.bits_.d) ==
             std::bit_cast<uint64_t>(b.bits_.d);
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128:
    case Type::kUuid:
      return a.bits_.raw == b.bits_.raw;
    case Type::kBinary:
    case Type::kString:
    case Type::kSymbol:
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return a.text() == b.text();
    default:
      return a.bits_.u == b.bits_.u;
  }
}

}  // namespace tieline::inline v0
