// The constructors of AMQP 1.0's primitive types (part 1, section 1.6), and
// big-endian loads and stores.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_CODES_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_CODES_H_

#include <cstdint>
#include <cstring>

namespace tieline::inline v0::amqp::wire {

enum Code : uint8_t {
  kCodeDescribed = 0x00,  // a descriptor and a value follow
  kCodeNull = 0x40,
  kCodeTrue = 0x41,
  kCodeFalse = 0x42,
  kCodeUInt0 = 0x43,
  kCodeULong0 = 0x44,
  kCodeList0 = 0x45,
  kCodeUByte = 0x50,
  kCodeByte = 0x51,
  kCodeSmallUInt = 0x52,
  kCodeSmallULong = 0x53,
  kCodeSmallInt = 0x54,
  kCodeSmallLong = 0x55,
  kCodeBool = 0x56,
  kCodeUShort = 0x60,
  kCodeShort = 0x61,
  kCodeUInt = 0x70,
  kCodeInt = 0x71,
  kCodeFloat = 0x72,
  kCodeChar = 0x73,
  kCodeDecimal32 = 0x74,
  kCodeULong = 0x80,
  kCodeLong = 0x81,
  kCodeDouble = 0x82,
  kCodeTimestamp = 0x83,
  kCodeDecimal64 = 0x84,
  kCodeDecimal128 = 0x94,
  kCodeUuid = 0x98,
  kCodeBinary8 = 0xa0,
  kCodeString8 = 0xa1,
  kCodeSymbol8 = 0xa3,
  kCodeBinary32 = 0xb0,
  kCodeString32 = 0xb1,
  kCodeSymbol32 = 0xb3,
  kCodeList8 = 0xc0,
  kCodeMap8 = 0xc1,
  kCodeList32 = 0xd0,
  kCodeMap32 = 0xd1,
  kCodeArray8 = 0xe0,
  kCodeArray32 = 0xf0,
};

inline uint16_t Load16(const char* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline uint32_t Load32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline uint64_t Load64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline void Store16(char* p, uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}
inline void Store32(char* p, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}
inline void Store64(char* p, uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof v);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_CODES_H_
