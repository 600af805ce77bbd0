// Crc32c: the checksum over everything that the store packs.
#ifndef TIELINE_LIB_STORE_CHECKSUM_H_
#define TIELINE_LIB_STORE_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace tieline::inline v0 {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, going on from `crc`
// of what comes before them.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

// The same over a number, as its eight bytes, the lowest first.
uint32_t Crc32c(uint64_t number, uint32_t crc);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_STORE_CHECKSUM_H_
