#include "lib/base/digest.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "absl/numeric/int128.h"

namespace tieline::inline v0 {
namespace {

// Odd numbers with as many ones as zeros, of no other meaning.
constexpr uint64_t kA = 0x9e3779b97f4a7c15u;
constexpr uint64_t kB = 0xd6e8feb86659fd93u;
constexpr uint64_t kC = 0xa0761d6478bd642fu;

// Both halves of the product, so that every bit of either reaches all.
uint64_t Mix(uint64_t a, uint64_t b) {
  const absl::uint128 product = absl::uint128(a) * b;
  return absl::Uint128Low64(product) ^ absl::Uint128High64(product);
}

// Up to eight bytes, the lowest first.
uint64_t Load(const char* from, size_t size) {
  uint64_t word = 0;
  std::memcpy(&word, from, size);
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  return word;
}

}  // namespace

uint64_t Digest64(std::string_view bytes, uint64_t seed) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t first = Mix(seed ^ kA, kC);
  // A second lane, so that one product does not wait for the other.
  if (left > 32) {
    uint64_t second = first ^ kB;
    for (; left > 32; at += 32, left -= 32) {
      first = Mix(Load(at, 8) ^ kB, Load(at + 8, 8) ^ first);
      second = Mix(Load(at + 16, 8) ^ kC, Load(at + 24, 8) ^ second);
    }
    first ^= second;
  }
  for (; left > 16; at += 16, left -= 16) {
    first = Mix(Load(at, 8) ^ kB, Load(at + 8, 8) ^ first);
  }
  const size_t low = left < 8 ? left : 8;
  const uint64_t a = low == 0 ? 0 : Load(at, low);
  const uint64_t b = left > 8 ? Load(at + 8, left - 8) : 0;
  return Mix(kC ^ bytes.size(), Mix(a ^ kB, b ^ first));
}

}  // namespace tieline::inline v0
