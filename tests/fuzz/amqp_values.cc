// Any bytes as AMQP values: read without harm; what is good is written and
// read again as the same.
#include <cstdlib>
#include <string>
#include <string_view>

#include "adapters/amqp/wire/value_codec.h"

namespace tieline {
namespace {

using amqp::wire::CheckValue;
using amqp::wire::Cursor;
using amqp::wire::IsAscii;
using amqp::wire::IsUtf8;
using amqp::wire::ReadValue;
using amqp::wire::Writer;
using amqp::wire::WriteValue;

void Expect(bool condition) {
  if (!condition) std::abort();
}

bool CanBeWritten(const Value& value) {
  if (value.type() == Type::kString) return IsUtf8(value.text());
  if (value.type() == Type::kSymbol) return IsAscii(value.text());
  return true;
}

void TryValue(Cursor* cursor) {
  Cursor checked = *cursor;
  Cursor skipped = *cursor;
  Value value;
  const bool good = ReadValue(cursor, &value);
  Expect(CheckValue(&checked) == good);
  skipped.Skip();
  if (!good) return;
  Expect(skipped.ok());
  Expect(skipped.position() == cursor->position());
  Expect(checked.position() == cursor->position());

  Writer writer;
  Expect(WriteValue(value, &writer).ok() == CanBeWritten(value));
  if (writer.empty()) return;
  Cursor again(writer.view());
  Value back;
  Expect(ReadValue(&again, &back) && again.done() && back == value);

  const auto parsed = Value::Parse(value.type(), value.ToText());
  Expect(parsed.ok() && *parsed == value);
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly its size, so that reading past the end shows.
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  tieline::amqp::wire::Cursor cursor(bytes);
  while (!cursor.done()) tieline::TryValue(&cursor);
  return 0;
}
