#include "adapters/amqp/wire/field_list.h"

#include <charconv>
#include <cstring>
#include <system_error>

#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"

namespace tieline::inline v0::amqp::wire {
namespace {

// As decimal digits that read back the same.
bool IsNumber(std::string_view text, uint64_t* number) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && at == end &&
         (text[0] != '0' || text.size() == 1);
}

}  // namespace

FieldList::FieldList(Writer* writer) : writer_(writer), start_(writer->size()) {
  BeginSection(kProperties, writer);
  mark_ = writer->Begin();
  size_ = mark_;
}

void FieldList::Absent(size_t fields) {
  char* const p = writer_->Room(fields);
  std::memset(p, kCodeNull, fields);
  writer_->SetEnd(p + fields);
  fields_ += static_cast<uint32_t>(fields);
}

void FieldList::Text(bool present, std::string_view text) {
  if (!present) return Absent();
  Done(PutString(Room(text), text));
}

void FieldList::Symbol(bool present, std::string_view text) {
  if (!present) return Absent();
  Done(PutSymbol(Room(text), text));
}

void FieldList::Binary(bool present, std::string_view bytes) {
  if (!present) return Absent();
  Done(PutBinary(Room(bytes), bytes));
}

void FieldList::Time(bool present, absl::Time time) {
  if (!present || time == absl::InfiniteFuture() ||
      time == absl::InfinitePast()) {
    return Absent();
  }
  Done(PutTimestamp(writer_->Room(kMaxFixed), absl::ToUnixMillis(time)));
}

void FieldList::UInt(bool present, uint32_t v) {
  if (!present) return Absent();
  Done(PutUInt(writer_->Room(kMaxFixed), v));
}

void FieldList::Id(bool present, std::string_view text, Type type) {
  if (!present) return Absent();
  uint64_t number = 0;
  if (type == Type::kULong && IsNumber(text, &number)) {
    return Done(PutULong(writer_->Room(kMaxFixed), number));
  }
  if (type == Type::kUuid) {
    const auto uuid = Value::Parse(Type::kUuid, text);
    if (uuid.ok() && uuid->ToText() == text) {
      return Done(PutUuid(writer_->Room(kMaxFixed), uuid->raw()));
    }
  }
  if (type == Type::kBinary || !IsUtf8(text)) return Binary(true, text);
  Text(true, text);
}

void FieldList::End() {
  if (count_ == 0) return writer_->Truncate(start_);
  writer_->Truncate(size_);
  writer_->EndList(mark_, count_);
}

char* FieldList::Room(std::string_view text) {
  return writer_->Room(kMaxVariableHead + text.size());
}

void FieldList::Done(const char* end) {
  writer_->SetEnd(end);
  count_ = ++fields_;
  size_ = writer_->size();
}

}  // namespace tieline::inline v0::amqp::wire
