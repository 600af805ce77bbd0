// Values of any type to and from AMQP 1.0 bytes (part 1, section 1.6).
//
// Exact types are kept; the smallest encoding is written and every encoding is
// read. Lists, maps, arrays and described values stay encoded inside a Value:
// they are checked when read and when written, so that later readers need not.
// Threads: stateless.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_VALUE_CODEC_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_VALUE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "adapters/amqp/wire/cursor.h"
#include "adapters/amqp/wire/writer.h"
#include "tieline/value.h"

namespace tieline::inline v0::amqp::wire {

// Composites may be nested so deep; deeper ones are malformed to us.
inline constexpr int kMaxDepth = 32;

// Passes over one value, checking its form to the bottom: known constructors,
// lengths and counts that agree, even counts in maps, nesting within
// kMaxDepth. False, with the cursor failed, if it is malformed. Text is not
// checked for UTF-8.
bool CheckValue(Cursor* cursor);

// Reads one value; composites are checked as CheckValue does. False, with the
// cursor failed, if it is malformed.
bool ReadValue(Cursor* cursor, Value* value);

// Appends one value. kInvalidArgument, with nothing appended: a string that is
// not UTF-8, a symbol that is not ASCII, a composite that is malformed or not
// of the type it is said to be, text of 4 GiB or more.
absl::Status WriteValue(const Value& value, Writer* writer);

// The Type that a constructor is of; kDescribed for 0x00. False for unknown
// ones.
bool TypeOfCode(int code, Type* type);

inline bool IsAscii(std::string_view text) {
  constexpr uint64_t kHigh = 0x8080808080808080u;
  const char* p = text.data();
  size_t n = text.size();
  uint64_t bits = 0;
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    bits |= word;
  }
  for (; n > 0; ++p, --n) bits |= static_cast<uint8_t>(*p);
  return (bits & kHigh) == 0;
}
bool IsUtf8Beyond(std::string_view text);  // the same, for any text
inline bool IsUtf8(std::string_view text) {
  return IsAscii(text) || IsUtf8Beyond(text);
}

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_VALUE_CODEC_H_
