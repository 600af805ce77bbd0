#include "adapters/amqp/wire/value_codec.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <limits>

#include "adapters/amqp/wire/shape.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr size_t kMaxText = std::numeric_limits<uint32_t>::max();

// A fixed-width value of one of the signed types.
bool ReadSigned(Type type, uint8_t width, const char* p, Value* value) {
  int64_t v = 0;
  switch (width) {
    case 1:
      v = static_cast<int8_t>(*p);
      break;
    case 2:
      v = static_cast<int16_t>(Load16(p));
      break;
    case 4:
      v = static_cast<int32_t>(Load32(p));
      break;
    default:
      v = static_cast<int64_t>(Load64(p));
      break;
  }
  value->AssignBits(type, static_cast<uint64_t>(v));
  return true;
}

bool ReadUnsigned(Type type, uint8_t width, const char* p, Value* value) {
  uint64_t v = 0;
  switch (width) {
    case 0:
      break;
    case 1:
      v = static_cast<uint8_t>(*p);
      break;
    case 2:
      v = Load16(p);
      break;
    case 4:
      v = Load32(p);
      break;
    default:
      v = Load64(p);
      break;
  }
  value->AssignBits(type, v);
  return true;
}

bool ReadRaw(Type type, uint8_t width, const char* p, Value* value) {
  std::array<uint8_t, 16> raw{};
  std::memcpy(raw.data(), p, width);
  *value = type == Type::kUuid ? Value(raw) : Value::Decimal(type, raw);
  return true;
}

bool ReadVariable(Cursor* cursor, const Shape& shape, std::string_view* text) {
  cursor->Raw(1);
  const char* p = cursor->Raw(shape.width);
  if (p == nullptr) return false;
  const size_t size = shape.width == 1 ? static_cast<uint8_t>(*p) : Load32(p);
  p = cursor->Raw(size);
  *text = {p, size};
  return p != nullptr;
}

bool ReadFixed(Type type, int code, uint8_t width, const char* p,
               Value* value) {
  switch (type) {
    case Type::kNull:
      *value = Value();
      return true;
    case Type::kBool:
      value->AssignBits(type, code == kCodeTrue ? 1 : 0);
      return true;
    case Type::kByte:
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
    case Type::kTimestamp:
      return ReadSigned(type, width, p, value);
    case Type::kFloat: {
      const uint32_t bits = Load32(p);
      float v;
      std::memcpy(&v, &bits, sizeof v);
      *value = Value(v);
      return true;
    }
    case Type::kDouble: {
      const uint64_t bits = Load64(p);
      double v;
      std::memcpy(&v, &bits, sizeof v);
      *value = Value(v);
      return true;
    }
    case Type::kDecimal32:
    case Type::kDecimal64:
    case Type::kDecimal128:
    case Type::kUuid:
      return ReadRaw(type, width, p, value);
    default:
      return ReadUnsigned(type, width, p, value);
  }
}

// Why PutValue can't write a text.
absl::Status WhyNot(const Value& value) {
  if (value.text().size() > kMaxText) {
    return InvalidArgument("text of 4 GiB or more");
  }
  if (value.type() == Type::kString) {
    return InvalidArgument("a string that is not UTF-8");
  }
  return InvalidArgument("a symbol that is not ASCII");
}

absl::Status WriteComposite(const Value& value, Writer* writer) {
  Cursor cursor(value.text());
  Type type = Type::kNull;
  if (!TypeOfCode(cursor.Peek(), &type) || type != value.type()) {
    return InvalidArgument("bytes that are not the encoding of a {}",
                           TypeName(value.type()));
  }
  if (!CheckValue(&cursor) || !cursor.done()) {
    return InvalidArgument("a composite that is malformed or nested too deep");
  }
  writer->Append(value.text());
  return absl::OkStatus();
}

char* PutRaw(char* p, Code code, const Value& value, size_t width) {
  p = PutByte(p, code);
  std::memcpy(p, value.raw().data(), width);
  return p + width;
}

char* PutDouble(char* p, double v) {
  uint64_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  p = PutByte(p, kCodeDouble);
  Store64(p, bits);
  return p + 8;
}

char* PutFloat(char* p, double v) {
  const float narrow = static_cast<float>(v);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof bits);
  p = PutByte(p, kCodeFloat);
  Store32(p, bits);
  return p + 4;
}

char* PutFixed(char* p, const Value& value) {
  const uint64_t u = value.unsigned_bits();
  const int64_t i = value.signed_bits();
  switch (value.type()) {
    case Type::kBool:
      return PutBool(p, u != 0);
    case Type::kUByte:
      return PutUByte(p, static_cast<uint8_t>(u));
    case Type::kUShort:
      return PutUShort(p, static_cast<uint16_t>(u));
    case Type::kUInt:
      return PutUInt(p, static_cast<uint32_t>(u));
    case Type::kULong:
      return PutULong(p, u);
    case Type::kByte:
      return PutByte(PutByte(p, kCodeByte), static_cast<uint8_t>(i));
    case Type::kShort:
      Store16(PutByte(p, kCodeShort), static_cast<uint16_t>(i));
      return p + 3;
    case Type::kInt:
      return PutInt(p, static_cast<int32_t>(i));
    case Type::kLong:
      return PutLong(p, i);
    case Type::kFloat:
      return PutFloat(p, value.double_bits());
    case Type::kDouble:
      return PutDouble(p, value.double_bits());
    case Type::kDecimal32:
      return PutRaw(p, kCodeDecimal32, value, 4);
    case Type::kDecimal64:
      return PutRaw(p, kCodeDecimal64, value, 8);
    case Type::kDecimal128:
      return PutRaw(p, kCodeDecimal128, value, 16);
    case Type::kChar:
      Store32(PutByte(p, kCodeChar), static_cast<uint32_t>(u));
      return p + 5;
    case Type::kTimestamp:
      return PutTimestamp(p, i);
    case Type::kUuid:
      return PutRaw(p, kCodeUuid, value, 16);
    default:
      return PutNull(p);
  }
}

}  // namespace

bool ReadValue(Cursor* cursor, Value* value) {
  const char* const start = cursor->position();
  const int code = cursor->Peek();
  if (code == Cursor::kNoCode) return cursor->Fail();
  const Shape& shape = kShapes[static_cast<size_t>(code)];
  switch (shape.form) {
    case Form::kUnknown:
      return cursor->Fail();
    case Form::kVariable: {
      std::string_view text;
      if (!ReadVariable(cursor, shape, &text)) return false;
      value->AssignText(shape.type, text);
      return true;
    }
    case Form::kFixed:
      if (shape.type == Type::kList) break;  // the empty one
      cursor->Raw(1);
      return cursor->Raw(shape.width) != nullptr &&
             ReadFixed(shape.type, code, shape.width, start + 1, value);
    case Form::kBool:
      *value = Value(cursor->Bool());
      return cursor->ok();
    default:
      break;
  }
  if (!CheckValue(cursor)) return false;
  const auto size = static_cast<size_t>(cursor->position() - start);
  value->AssignText(shape.type, {start, size});
  return true;
}

char* PutValue(char* p, const Value& value) {
  const std::string_view text = value.text();
  switch (value.type()) {
    case Type::kString:
      if (text.size() > kMaxText || !IsUtf8(text)) return nullptr;
      return PutString(p, text);
    case Type::kSymbol:
      if (text.size() > kMaxText || !IsAscii(text)) return nullptr;
      return PutSymbol(p, text);
    case Type::kBinary:
      return text.size() > kMaxText ? nullptr : PutBinary(p, text);
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return nullptr;
    default:
      return PutFixed(p, value);
  }
}

absl::Status WriteValue(const Value& value, Writer* writer) {
  if (value.type() >= Type::kList) return WriteComposite(value, writer);
  if (value.text().size() > kMaxText) return WhyNot(value);
  const char* const end = PutValue(writer->Room(MaxSize(value)), value);
  if (end == nullptr) return WhyNot(value);
  writer->SetEnd(end);
  return absl::OkStatus();
}

}  // namespace tieline::inline v0::amqp::wire
