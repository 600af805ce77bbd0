// Digest64: a fast hash of bytes that stays the same, in every process and on
// every machine: it is kept on disk.
//
// For telling two bodies apart, not for keeping an attacker from making two of
// the same digest.
#ifndef TIELINE_LIB_BASE_DIGEST_H_
#define TIELINE_LIB_BASE_DIGEST_H_

#include <cstdint>
#include <string_view>

namespace tieline::inline v0 {

// Of `bytes`, going on from `seed`.
uint64_t Digest64(std::string_view bytes, uint64_t seed = 0);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_DIGEST_H_
