// The form of encoded values, checked to the bottom.
#include <cstddef>

#include "adapters/amqp/wire/shape.h"
#include "adapters/amqp/wire/value_codec.h"

namespace tieline::inline v0::amqp::wire {
namespace {

bool CheckItems(Cursor items, uint64_t count, int depth);
bool CheckArray(Cursor items, uint64_t count, int depth);

// A size or a count of 1 or 4 bytes.
bool TakeSize(Cursor* cursor, uint8_t width, uint64_t* size) {
  const char* p = cursor->Raw(width);
  if (p == nullptr) return false;
  *size = width == 1 ? static_cast<uint8_t>(*p) : Load32(p);
  return true;
}

// The value behind a constructor other than kDescribed.
bool CheckBody(Cursor* cursor, const Shape& shape, int depth) {
  if (shape.form == Form::kFixed) return cursor->Raw(shape.width) != nullptr;
  if (shape.form == Form::kBool) {
    const char* p = cursor->Raw(1);
    return p != nullptr && (static_cast<uint8_t>(*p) <= 1 || cursor->Fail());
  }
  if (shape.form == Form::kUnknown || shape.form == Form::kDescribed) {
    return cursor->Fail();
  }
  uint64_t size = 0;
  if (!TakeSize(cursor, shape.width, &size)) return false;
  const char* p = cursor->Raw(size);
  if (p == nullptr) return false;
  if (shape.form == Form::kVariable) return true;
  Cursor items(std::string_view(p, size));
  uint64_t count = 0;
  if (depth <= 0 || !TakeSize(&items, shape.width, &count)) {
    return cursor->Fail();
  }
  const bool good = shape.form == Form::kArray
                        ? CheckArray(items, count, depth - 1)
                        : CheckItems(items, count, depth - 1) &&
                              (shape.form != Form::kMap || count % 2 == 0);
  return good || cursor->Fail();
}

bool Check(Cursor* cursor, int depth) {
  const int code = cursor->Peek();
  if (code == Cursor::kNoCode) return cursor->Fail();
  cursor->Raw(1);
  const Shape& shape = kShapes[static_cast<size_t>(code)];
  if (shape.form != Form::kDescribed) return CheckBody(cursor, shape, depth);
  if (depth <= 0) return cursor->Fail();
  if (!Check(cursor, depth - 1)) return false;  // the descriptor
  return Check(cursor, depth - 1);
}

// Exactly `count` values.
bool CheckItems(Cursor items, uint64_t count, int depth) {
  for (; count > 0; --count) {
    if (!Check(&items, depth)) return false;
  }
  return items.done();
}

// One constructor, and `count` values without theirs.
bool CheckArray(Cursor items, uint64_t count, int depth) {
  if (items.done()) return count == 0;  // some leave the constructor out
  while (items.Peek() == kCodeDescribed) {
    items.Raw(1);
    if (depth-- <= 0 || !Check(&items, depth)) return false;
  }
  const int code = items.Peek();
  if (code == Cursor::kNoCode) return false;
  items.Raw(1);
  const Shape& shape = kShapes[static_cast<size_t>(code)];
  if (shape.form == Form::kFixed) return items.left() == count * shape.width;
  if (shape.form == Form::kUnknown) return false;
  for (; count > 0; --count) {
    if (!CheckBody(&items, shape, depth)) return false;
  }
  return items.done();
}

}  // namespace

bool CheckLongValue(Cursor* cursor) { return Check(cursor, kMaxDepth); }

bool TypeOfCode(int code, Type* type) {
  if (code < 0 || code > 255) return false;
  const Shape& shape = kShapes[static_cast<size_t>(code)];
  *type = shape.type;
  return shape.form != Form::kUnknown;
}

}  // namespace tieline::inline v0::amqp::wire
