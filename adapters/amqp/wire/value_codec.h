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
bool CheckLongValue(Cursor* cursor);  // the same, for any value
inline bool CheckValue(Cursor* cursor) {
  return cursor->SkipPlain() || CheckLongValue(cursor);
}

// Reads one value; composites are checked as CheckValue does. False, with the
// cursor failed, if it is malformed.
bool ReadValue(Cursor* cursor, Value* value);

// Writes one value that is neither a composite nor larger than AMQP's limits
// at `p`, where there is room for MaxSize(value). Null when it can't be: then
// WriteValue says why, or does it.
char* PutValue(char* p, const Value& value);
inline size_t MaxSize(const Value& value) {
  return kMaxFixed + value.text().size();
}

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
  uint64_t word = 0;
  for (; n >= 8; p += 8, n -= 8) {
    std::memcpy(&word, p, 8);
    bits |= word;
  }
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, p, 4);
    std::memcpy(&last, p + n - 4, 4);
    bits |= first | last;
  } else if (n > 0) {
    bits |= static_cast<uint8_t>(p[0]);
    bits |= static_cast<uint8_t>(p[n / 2]);
    bits |= static_cast<uint8_t>(p[n - 1]);
  }
  return (bits & kHigh) == 0;
}
bool IsUtf8Beyond(std::string_view text);  // the same, for any text
inline bool IsUtf8(std::string_view text) {
  return IsAscii(text) || IsUtf8Beyond(text);
}

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_VALUE_CODEC_H_
