// What each constructor says of the bytes behind it (AMQP 1.0 section 1.6).
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_SHAPE_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_SHAPE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "adapters/amqp/wire/codes.h"
#include "tieline/value.h"

namespace tieline::inline v0::amqp::wire {

// What follows a constructor.
enum class Form : uint8_t {
  kUnknown,
  kFixed,  // `width` bytes
  kVariable,
  kBool,  // a byte, 0 or 1
  kList,
  kMap,
  kArray,
  kDescribed,
};

struct Shape {
  Form form = Form::kUnknown;
  uint8_t width = 0;  // bytes of the value, of its size, or of size and count
  Type type = Type::kNull;
};

constexpr std::array<Shape, 256> MakeShapes() {
  std::array<Shape, 256> t{};
  t[kCodeDescribed] = {Form::kDescribed, 0, Type::kDescribed};
  t[kCodeNull] = {Form::kFixed, 0, Type::kNull};
  t[kCodeTrue] = {Form::kFixed, 0, Type::kBool};
  t[kCodeFalse] = {Form::kFixed, 0, Type::kBool};
  t[kCodeBool] = {Form::kBool, 1, Type::kBool};
  t[kCodeUByte] = {Form::kFixed, 1, Type::kUByte};
  t[kCodeUShort] = {Form::kFixed, 2, Type::kUShort};
  t[kCodeUInt0] = {Form::kFixed, 0, Type::kUInt};
  t[kCodeSmallUInt] = {Form::kFixed, 1, Type::kUInt};
  t[kCodeUInt] = {Form::kFixed, 4, Type::kUInt};
  t[kCodeULong0] = {Form::kFixed, 0, Type::kULong};
  t[kCodeSmallULong] = {Form::kFixed, 1, Type::kULong};
  t[kCodeULong] = {Form::kFixed, 8, Type::kULong};
  t[kCodeByte] = {Form::kFixed, 1, Type::kByte};
  t[kCodeShort] = {Form::kFixed, 2, Type::kShort};
  t[kCodeSmallInt] = {Form::kFixed, 1, Type::kInt};
  t[kCodeInt] = {Form::kFixed, 4, Type::kInt};
  t[kCodeSmallLong] = {Form::kFixed, 1, Type::kLong};
  t[kCodeLong] = {Form::kFixed, 8, Type::kLong};
  t[kCodeFloat] = {Form::kFixed, 4, Type::kFloat};
  t[kCodeDouble] = {Form::kFixed, 8, Type::kDouble};
  t[kCodeDecimal32] = {Form::kFixed, 4, Type::kDecimal32};
  t[kCodeDecimal64] = {Form::kFixed, 8, Type::kDecimal64};
  t[kCodeDecimal128] = {Form::kFixed, 16, Type::kDecimal128};
  t[kCodeChar] = {Form::kFixed, 4, Type::kChar};
  t[kCodeTimestamp] = {Form::kFixed, 8, Type::kTimestamp};
  t[kCodeUuid] = {Form::kFixed, 16, Type::kUuid};
  t[kCodeBinary8] = {Form::kVariable, 1, Type::kBinary};
  t[kCodeBinary32] = {Form::kVariable, 4, Type::kBinary};
  t[kCodeString8] = {Form::kVariable, 1, Type::kString};
  t[kCodeString32] = {Form::kVariable, 4, Type::kString};
  t[kCodeSymbol8] = {Form::kVariable, 1, Type::kSymbol};
  t[kCodeSymbol32] = {Form::kVariable, 4, Type::kSymbol};
  t[kCodeList0] = {Form::kFixed, 0, Type::kList};
  t[kCodeList8] = {Form::kList, 1, Type::kList};
  t[kCodeList32] = {Form::kList, 4, Type::kList};
  t[kCodeMap8] = {Form::kMap, 1, Type::kMap};
  t[kCodeMap32] = {Form::kMap, 4, Type::kMap};
  t[kCodeArray8] = {Form::kArray, 1, Type::kArray};
  t[kCodeArray32] = {Form::kArray, 4, Type::kArray};
  return t;
}
inline constexpr std::array<Shape, 256> kShapes = MakeShapes();

// For values whose form needs no look inside: the bytes of a fixed one, its
// constructor included, or kPlainVariable for one whose size is in its second
// byte. 0 for all others.
inline constexpr uint8_t kPlainVariable = 0xff;
constexpr std::array<uint8_t, 256> MakePlainSizes() {
  std::array<uint8_t, 256> t{};
  for (size_t i = 0; i < t.size(); ++i) {
    const Shape& shape = kShapes[i];
    if (shape.form == Form::kFixed) {
      t[i] = static_cast<uint8_t>(1 + shape.width);
    } else if (shape.form == Form::kVariable && shape.width == 1) {
      t[i] = kPlainVariable;
    }
  }
  return t;
}
inline constexpr std::array<uint8_t, 256> kPlainSizes = MakePlainSizes();

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_SHAPE_H_
