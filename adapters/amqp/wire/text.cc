// What AMQP wants of text.
#include <cstring>

#include "adapters/amqp/wire/value_codec.h"

namespace tieline::inline v0::amqp::wire {

bool IsAscii(std::string_view text) {
  const char* p = text.data();
  size_t n = text.size();
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    if ((word & 0x8080808080808080u) != 0) return false;
  }
  for (; n > 0; ++p, --n) {
    if ((static_cast<uint8_t>(*p) & 0x80u) != 0) return false;
  }
  return true;
}

bool IsUtf8(std::string_view text) {
  if (IsAscii(text)) return true;
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const uint8_t lead = *p++;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (end - p < more) return false;
    // Overlong forms, surrogates and what is above U+10FFFF show in the second
    // byte (Unicode table 3-7).
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*p < low || *p > high) return false;
    for (int i = 1; i < more; ++i) {
      if ((p[i] & 0xc0u) != 0x80u) return false;
    }
    p += more;
  }
  return true;
}

}  // namespace tieline::inline v0::amqp::wire
