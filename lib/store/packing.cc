#include "lib/store/packing.h"

namespace tieline::inline v0::store {
namespace {

template <typename Length>
void Put(uint64_t number, std::string_view bytes, std::string* out) {
  char head[sizeof(Length) + 8];
  for (size_t i = 0; i < sizeof(Length); ++i) {
    head[i] = static_cast<char>(bytes.size() >> (8 * i));
  }
  for (size_t i = 0; i < 8; ++i) {
    head[sizeof(Length) + i] = static_cast<char>(number >> (8 * i));
  }
  out->append(head, sizeof head);
  out->append(bytes);
}

uint64_t Number(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    number |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  return number;
}

template <typename Length>
bool Take(std::string_view* packed, uint64_t* number, std::string_view* bytes) {
  constexpr size_t kHead = sizeof(Length) + 8;
  if (packed->size() < kHead) return false;
  const uint64_t length = Number(packed->substr(0, sizeof(Length)));
  if (packed->size() - kHead < length) return false;
  *number = Number(packed->substr(sizeof(Length), 8));
  *bytes = packed->substr(kHead, length);
  packed->remove_prefix(kHead + length);
  return true;
}

template <typename Length>
bool IsWhole(std::string_view packed, uint64_t count) {
  uint64_t number = 0;
  std::string_view bytes;
  uint64_t found = 0;
  while (found < count && Take<Length>(&packed, &number, &bytes)) ++found;
  return found == count && packed.empty();
}

}  // namespace

void PackSpool(uint64_t key_hash, std::string_view bytes, std::string* out) {
  Put<uint32_t>(key_hash, bytes, out);
}

void PackInbox(uint64_t digest, std::string_view id, std::string* out) {
  Put<uint16_t>(digest, id, out);
}

bool UnpackSpool(std::string_view* packed, uint64_t* key_hash,
                 std::string_view* bytes) {
  return Take<uint32_t>(packed, key_hash, bytes);
}

bool UnpackInbox(std::string_view* packed, uint64_t* digest,
                 std::string_view* id) {
  return Take<uint16_t>(packed, digest, id);
}

bool IsSpool(std::string_view packed, uint64_t count) {
  return IsWhole<uint32_t>(packed, count);
}

bool IsInbox(std::string_view packed, uint64_t count) {
  return IsWhole<uint16_t>(packed, count);
}

}  // namespace tieline::inline v0::store
