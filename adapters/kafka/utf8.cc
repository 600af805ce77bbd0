#include "adapters/kafka/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tieline::inline v0 {
namespace kafka {

bool IsUtf8(std::string_view text) {
  size_t i = 0;
  // Most text is ASCII: eight bytes at a time.
  for (uint64_t word = 0; text.size() - i >= sizeof(word); i += sizeof(word)) {
    std::memcpy(&word, text.data() + i, sizeof(word));
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    size_t more = 0;
    uint32_t code = 0;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
      code = lead & 0x1fu;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      code = lead & 0x0fu;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      code = lead & 0x07u;
    } else {
      return false;
    }
    if (text.size() - i <= more) return false;
    for (size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0u) != 0x80u) return false;
      code = code << 6 | (next & 0x3fu);
    }
    // Overlong forms, surrogates, and what lies beyond Unicode.
    if (more == 2 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) {
      return false;
    }
    if (more == 3 && (code < 0x10000 || code > 0x10ffff)) return false;
    i += more + 1;
  }
  return true;
}

}  // namespace kafka
}  // namespace tieline::inline v0
