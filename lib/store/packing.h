// How entries lie in a segment: one after the other, numbers with the lowest
// byte first.
//
//   spool   u32 length, u64 key hash, bytes
//   inbox   u16 length, u64 digest, id
#ifndef TIELINE_LIB_STORE_PACKING_H_
#define TIELINE_LIB_STORE_PACKING_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tieline::inline v0::store {

inline constexpr size_t kSpoolHead = 12;
inline constexpr size_t kInboxHead = 10;

void PackSpool(uint64_t key_hash, std::string_view bytes, std::string* out);
void PackInbox(uint64_t digest, std::string_view id, std::string* out);

// Take the first entry off `*packed`. False when it is not a whole entry;
// `*packed` is then as it was.
bool UnpackSpool(std::string_view* packed, uint64_t* key_hash,
                 std::string_view* bytes);
bool UnpackInbox(std::string_view* packed, uint64_t* digest,
                 std::string_view* id);

// Whether `packed` is `count` whole entries and nothing else.
bool IsSpool(std::string_view packed, uint64_t count);
bool IsInbox(std::string_view packed, uint64_t count);

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_PACKING_H_
