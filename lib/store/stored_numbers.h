// The numbers by which stored messages name fields, kinds of bodies and types
// of values. They are on disks: a number is never changed or used again.
#ifndef TIELINE_LIB_STORE_STORED_NUMBERS_H_
#define TIELINE_LIB_STORE_STORED_NUMBERS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tieline/message.h"
#include "tieline/value.h"

namespace tieline::inline v0::store {

inline constexpr uint8_t kStoredVersion = 1;

// In the order in which they are written.
enum class Tag : uint8_t {
  kEnd = 0,
  kKey = 1,
  kId = 2,
  kCorrelationId = 3,
  kSubject = 4,
  kContentType = 5,
  kContentEncoding = 6,
  kTo = 7,
  kReplyTo = 8,
  kReplyToKey = 9,
  kUserId = 10,
  kGroupSequence = 11,
  kPriority = 12,
  kDurable = 13,
  kTtl = 14,
  kCreated = 15,
  kExpires = 16,
  kDeliverAt = 17,
  kPartition = 18,
  kBodyValue = 19,
  kProperty = 20,    // any number of these
  kAnnotation = 21,  // and of these
  kFooter = 22,      // and of these
};
inline constexpr uint8_t kTags = 23;

// By their numbers.
inline constexpr std::array kStoredKinds = {
    BodyKind::kNull,
    BodyKind::kData,
    BodyKind::kValue,
    BodyKind::kSequence,
};
inline constexpr std::array kStoredTypes = {
    Type::kNull,      Type::kBool,      Type::kUByte,      Type::kUShort,
    Type::kUInt,      Type::kULong,     Type::kByte,       Type::kShort,
    Type::kInt,       Type::kLong,      Type::kFloat,      Type::kDouble,
    Type::kDecimal32, Type::kDecimal64, Type::kDecimal128, Type::kChar,
    Type::kTimestamp, Type::kUuid,      Type::kBinary,     Type::kString,
    Type::kSymbol,    Type::kList,      Type::kMap,        Type::kArray,
    Type::kDescribed,
};

template <typename Table, typename T>
constexpr uint8_t NumberOf(const Table& table, T what) {
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i] == what) return static_cast<uint8_t>(i);
  }
  return 0;
}

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_STORED_NUMBERS_H_
