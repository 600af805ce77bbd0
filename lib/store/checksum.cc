#include "lib/store/checksum.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace tieline::inline v0 {
namespace {

// Tables for eight bytes at a time.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  constexpr uint32_t kPolynomial = 0x82f63b78u;
  Tables t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    }
    t[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t k = 1; k < 8; ++k) {
      t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xffu];
    }
  }
  return t;
}

constexpr Tables kTables = MakeTables();

uint32_t EightBytes(uint64_t word) {
  uint32_t crc = 0;
  for (size_t k = 0; k < 8; ++k) {
    crc ^= kTables[7 - k][(word >> (8 * k)) & 0xffu];
  }
  return crc;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
  while (bytes.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
      word = __builtin_bswap64(word);
    }
    crc = EightBytes(word ^ crc);
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(c)) & 0xffu];
  }
  return ~crc;
}

uint32_t Crc32c(uint64_t number, uint32_t crc) {
  return ~EightBytes(number ^ static_cast<uint32_t>(~crc));
}

}  // namespace tieline::inline v0
