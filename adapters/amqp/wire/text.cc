// What AMQP wants of text.
#include "adapters/amqp/wire/value_codec.h"

namespace tieline::inline v0::amqp::wire {

bool IsUtf8Beyond(std::string_view text) {
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
