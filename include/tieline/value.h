// Value: one property value with its exact AMQP 1.0 type.
//
// The types are those of AMQP 1.0 part 1, section 1.6. A value that came from
// a broker keeps its type through every backend and back. Most code needs only
// the nine natural accessors: null, bool, int64, uint64, double, string,
// binary, timestamp and uuid.
// Threads: as a std::string.
#ifndef TIELINE_VALUE_H_
#define TIELINE_VALUE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tieline::inline v0 {

enum class Type : uint8_t {
  kNull,
  kBool,
  kUByte,
  kUShort,
  kUInt,
  kULong,
  kByte,
  kShort,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kDecimal32,
  kDecimal64,
  kDecimal128,
  kChar,
  kTimestamp,  // milliseconds since 1970-01-01T00:00:00Z
  kUuid,
  kBinary,
  kString,
  kSymbol,
  // Composites are kept as their AMQP encoding, constructor included.
  kList,
  kMap,
  kArray,
  kDescribed,
};

// "long", "string", ...: the specification's names; "described" for kDescribed.
std::string_view TypeName(Type type);
// The inverse of TypeName; nullopt for an unknown name.
std::optional<Type> TypeFromName(std::string_view name);

using Uuid = std::array<uint8_t, 16>;  // RFC 4122 byte order

class Value {
 public:
  Value() = default;                                             // null
  Value(bool v) : type_(Type::kBool) { bits_.u = v ? 1 : 0; }    // NOLINT
  Value(int32_t v) : type_(Type::kInt) { bits_.i = v; }          // NOLINT
  Value(int64_t v) : type_(Type::kLong) { bits_.i = v; }         // NOLINT
  Value(uint32_t v) : type_(Type::kUInt) { bits_.u = v; }        // NOLINT
  Value(uint64_t v) : type_(Type::kULong) { bits_.u = v; }       // NOLINT
  Value(float v) : type_(Type::kFloat) { bits_.d = double{v}; }  // NOLINT
  Value(double v) : type_(Type::kDouble) { bits_.d = v; }        // NOLINT
  Value(std::string_view v) : Value(Type::kString, v) {}         // NOLINT
  Value(const std::string& v)                                    // NOLINT
      : Value(Type::kString, v) {}
  Value(const char* v)  // NOLINT
      : Value(Type::kString, std::string_view(v)) {}
  Value(absl::Time v);                                          // NOLINT
  Value(const Uuid& v) : type_(Type::kUuid) { bits_.raw = v; }  // NOLINT

  Value(const Value& other) : size_(other.size_), type_(other.type_) {
    if (other.on_heap_) {
      CopyToHeap(other.text());
    } else {
      bits_ = other.bits_;
    }
  }
  Value(Value&& other) noexcept { Take(&other); }
  Value& operator=(const Value& other) {
    if (this != &other) *this = Value(other);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    if (this == &other) return *this;
    Free();
    Take(&other);
    return *this;
  }
  ~Value() { Free(); }

  static Value Binary(std::string_view bytes) {
    return Value(Type::kBinary, bytes);
  }
  static Value Symbol(std::string_view ascii) {
    return Value(Type::kSymbol, ascii);
  }
  static Value TimestampMillis(int64_t ms) {
    return Signed(Type::kTimestamp, ms);
  }
  // Narrow integers, char and timestamp by type; `v` must be in the type's
  // range (else it is cut to the type's width).
  static Value Signed(Type type, int64_t v);     // byte short int long
                                                 // timestamp
  static Value Unsigned(Type type, uint64_t v);  // bool ubyte ushort uint
                                                 // ulong char
  // Decimals by their IEEE 754-2008 encoding, big-endian, in the first 4, 8 or
  // 16 bytes.
  static Value Decimal(Type type, const std::array<uint8_t, 16>& raw);
  // list, map, array or described: `encoding` is one whole AMQP-encoded value.
  static Value Composite(Type type, std::string_view encoding) {
    return Value(type, encoding);
  }

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }

  // The natural accessors. nullopt when the value is of another kind or would
  // not fit; nothing is rounded.
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInt64() const;    // any integer type that fits
  std::optional<uint64_t> AsUInt64() const;  // any integer type that fits, char
  std::optional<double> AsDouble() const;    // float, double
  std::optional<std::string_view> AsString() const;  // string, symbol
  std::optional<std::string_view> AsBinary() const;  // binary
  std::optional<absl::Time> AsTimestamp() const;
  std::optional<Uuid> AsUuid() const;

  // The raw parts, for codecs. `text` holds string, symbol, binary and
  // composites; `raw` holds uuid and decimals.
  int64_t signed_bits() const { return bits_.i; }
  uint64_t unsigned_bits() const { return bits_.u; }
  double double_bits() const { return bits_.d; }
  const std::array<uint8_t, 16>& raw() const { return bits_.raw; }
  std::string_view text() const {
    return {on_heap_ ? bits_.heap : bits_.text.data(), size_};
  }

  // For codecs: become, in place, a string, symbol, binary or composite; or an
  // integer, bool, char or timestamp whose bits are in the type's range.
  void AssignText(Type type, std::string_view text) {
    Free();
    type_ = type;
    SetText(text);
  }
  void AssignBits(Type type, uint64_t bits) {
    Free();
    type_ = type;
    size_ = 0;
    on_heap_ = false;
    bits_.u = bits;
  }

  // Readable text from which Parse(type(), text) makes the same value again:
  // numbers in decimal (shortest form that reads back the same), timestamps as
  // RFC 3339 in UTC with milliseconds (or "ms:<n>" outside years 0-9999), uuids
  // in their usual form, chars as "U+0041", binary, decimals and composites in
  // base64, null as "".
  std::string ToText() const;
  // kInvalidArgument says what was expected.
  static absl::StatusOr<Value> Parse(Type type, std::string_view text);

  // Same type and same bits (so two NaNs with equal bits are equal).
  friend bool operator==(const Value& a, const Value& b);

 private:
  // Text of up to so many bytes takes no memory of its own.
  static constexpr size_t kInline = 16;

  Value(Type type, std::string_view text) : type_(type) { SetText(text); }

  // For a value without heap memory.
  void SetText(std::string_view text) {
    size_ = text.size();
    on_heap_ = false;
    if (text.size() > kInline) {
      CopyToHeap(text);
    } else {
      CopyShort(text.data(), text.size(), bits_.text.data());
    }
  }
  // Up to 16 bytes, without a call: from both ends, which may overlap.
  static void CopyShort(const char* from, size_t n, char* to) {
    if (n >= 8) {
      uint64_t first, last;
      std::memcpy(&first, from, 8);
      std::memcpy(&last, from + n - 8, 8);
      std::memcpy(to, &first, 8);
      std::memcpy(to + n - 8, &last, 8);
    } else if (n >= 4) {
      uint32_t first, last;
      std::memcpy(&first, from, 4);
      std::memcpy(&last, from + n - 4, 4);
      std::memcpy(to, &first, 4);
      std::memcpy(to + n - 4, &last, 4);
    } else if (n > 0) {
      to[0] = from[0];
      to[n / 2] = from[n / 2];
      to[n - 1] = from[n - 1];
    }
  }
  void CopyToHeap(std::string_view text);
  void FreeHeap() const;
  void Take(Value* other) {
    bits_ = other->bits_;
    size_ = other->size_;
    type_ = other->type_;
    on_heap_ = other->on_heap_;
    other->size_ = 0;
    other->type_ = Type::kNull;
    other->on_heap_ = false;
  }
  void Free() {
    if (on_heap_) FreeHeap();
  }

  union Bits {
    uint64_t u;
    int64_t i;
    double d;
    std::array<uint8_t, 16> raw;
    std::array<char, kInline> text;
    char* heap;
  } bits_{.raw = {}};
  size_t size_ = 0;  // of the text
  Type type_ = Type::kNull;
  bool on_heap_ = false;  // the text is
};

}  // namespace tieline::inline v0

#endif  // TIELINE_VALUE_H_
