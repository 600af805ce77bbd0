// Receiving: the fields of a checked message, decoded when somebody asks.
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "adapters/amqp/wire/field_names.h"
#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"

namespace tieline::inline v0::amqp::wire {
namespace {

// Appends to a property list whose names are unique; of several with one name
// the first counts. Small lists are searched, large ones indexed.
class Appender {
 public:
  Appender(Properties* list, uint32_t count) : list_(list) {
    const size_t all = list->size() + count;
    list_->Reserve(all);
    if (all <= kFew) return;
    seen_.emplace();
    for (const Property& p : *list_) seen_->insert(p.name);
  }
  // Where the value goes; null when there is one by that name.
  Value* Append(std::string_view name) {
    const bool known =
        seen_ ? !seen_->insert(name).second : list_->Find(name) != nullptr;
    return known ? nullptr : &list_->Append(name);
  }

 private:
  static constexpr size_t kFew = 32;
  Properties* const list_;
  // Names in the input, and in `list_`, which has room and does not move.
  std::optional<std::unordered_set<std::string_view>> seen_;
};

// A string or symbol; false, after passing over it, for anything else.
[[gnu::noinline]] bool ReadLongText(Cursor* cursor, std::string_view* text) {
  switch (cursor->Peek()) {
    case kCodeString8:
    case kCodeString32:
      *text = cursor->String();
      return cursor->ok();
    case kCodeSymbol8:
    case kCodeSymbol32:
      *text = cursor->Symbol();
      return cursor->ok();
    default:
      cursor->Skip();
      return false;
  }
}

inline bool ReadText(Cursor* cursor, std::string_view* text) {
  return cursor->PlainText(text) || ReadLongText(cursor, text);
}

void ReadHeader(Cursor* cursor, MessageFields* fields) {
  ListReader list(cursor);
  if (list.Has()) {
    fields->durable = list.Bool(true);
    fields->mark(Field::kDurable);
  }
  if (list.Has()) {
    fields->priority = list.UByte(4);
    fields->mark(Field::kPriority);
  }
  if (list.Has()) {
    fields->ttl = absl::Milliseconds(list.UInt(0));
    fields->mark(Field::kTtl);
  }
}

// Message and correlation ids: ulong, uuid, binary or string (3.2.11-14).
// Other integers, which some clients send, are taken for ulongs.
bool ReadId(Cursor* cursor, std::string* text, Type* type) {
  Value value;
  if (!ReadValue(cursor, &value)) return false;
  switch (value.type()) {
    case Type::kString:
    case Type::kSymbol:
      *type = Type::kString;
      *text = std::string(value.text());
      return true;
    case Type::kBinary:
      *type = Type::kBinary;
      *text = std::string(value.text());
      return true;
    case Type::kUuid:
      *type = Type::kUuid;
      *text = value.ToText();
      return true;
    default:
      if (!value.AsInt64() && !value.AsUInt64()) return false;
      *type = value.AsUInt64() ? Type::kULong : Type::kString;
      *text = value.ToText();
      return true;
  }
}

void ReadTextField(ListReader* list, Field field, std::string* to,
                   MessageFields* fields) {
  std::string_view text;
  if (!list->Has() || !ReadText(list->Take(), &text)) return;
  *to = std::string(text);
  fields->mark(field);
}

void ReadTimeField(ListReader* list, Field field, absl::Time* to,
                   MessageFields* fields) {
  if (!list->Has()) return;
  Cursor* cursor = list->Take();
  if (cursor->Peek() != kCodeTimestamp) {
    cursor->Skip();
    return;
  }
  *to = absl::FromUnixMillis(cursor->Timestamp());
  fields->mark(field);
}

void ReadProperties(Cursor* cursor, MessageFields* fields) {
  ListReader list(cursor);
  if (list.Has() && ReadId(list.Take(), &fields->id, &fields->id_type)) {
    fields->mark(Field::kId);
  }
  if (list.Has()) {
    Value user_id;
    if (ReadValue(list.Take(), &user_id) &&
        (user_id.AsBinary() || user_id.AsString())) {
      fields->user_id = std::string(user_id.text());
      fields->mark(Field::kUserId);
    }
  }
  ReadTextField(&list, Field::kTo, &fields->to, fields);
  ReadTextField(&list, Field::kSubject, &fields->subject, fields);
  ReadTextField(&list, Field::kReplyTo, &fields->reply_to, fields);
  if (list.Has() && ReadId(list.Take(), &fields->correlation_id,
                           &fields->correlation_id_type)) {
    fields->mark(Field::kCorrelationId);
  }
  ReadTextField(&list, Field::kContentType, &fields->content_type, fields);
  ReadTextField(&list, Field::kContentEncoding, &fields->content_encoding,
                fields);
  ReadTimeField(&list, Field::kExpires, &fields->expires, fields);
  ReadTimeField(&list, Field::kCreated, &fields->created, fields);
  list.Skip();  // group-id: the key, which the message has already
  if (list.Has()) {
    Value sequence;
    if (ReadValue(list.Take(), &sequence) && sequence.type() == Type::kUInt) {
      fields->group_sequence = static_cast<uint32_t>(sequence.unsigned_bits());
      fields->mark(Field::kGroupSequence);
    }
  }
  ReadTextField(&list, Field::kReplyToKey, &fields->reply_to_key, fields);
}

// The value of the property that was just appended; null of one that is there.
void ReadInto(Cursor* items, Value* value) {
  std::string_view text;
  const int code = items->Peek();
  if (value == nullptr) {
    if (!items->SkipPlain()) items->Skip();
  } else if (items->PlainText(&text)) {
    value->AssignText(code == kCodeString8 ? Type::kString : Type::kSymbol,
                      text);
  } else {
    ReadValue(items, value);
  }
}

void ReadMap(Cursor* cursor, Properties* list) {
  Cursor items;
  uint32_t count = 0;
  if (!cursor->Map(&items, &count)) return;
  Appender appender(list, count / 2);
  for (; count > 0 && items.ok(); count -= 2) {
    std::string_view name;
    const bool named = ReadText(&items, &name);
    ReadInto(&items, named ? appender.Append(name) : nullptr);
  }
}

// Milliseconds of a delivery time: a timestamp, or a number as some send it.
bool ReadDeliverAt(const Value& value, MessageFields* fields) {
  int64_t ms = 0;
  if (value.type() == Type::kTimestamp) {
    ms = value.signed_bits();
  } else if (value.AsInt64()) {
    ms = *value.AsInt64();
  } else {
    return false;
  }
  fields->deliver_at = absl::FromUnixMillis(ms);
  fields->mark(Field::kDeliverAt);
  return true;
}

// True when the annotation is one that carries a field.
bool TakeAnnotation(std::string_view name, const Value& value,
                    MessageFields* fields) {
  if (!name.starts_with("x-opt-")) return false;
  if (name == kDeliveryTimeName || name == kScheduledEnqueueTimeName) {
    return !fields->has(Field::kDeliverAt) && ReadDeliverAt(value, fields);
  }
  if (name == kPartitionName && value.type() == Type::kInt) {
    fields->partition = static_cast<int32_t>(value.signed_bits());
    fields->mark(Field::kPartition);
    return true;
  }
  if (name == kUserIdName && value.type() == Type::kBinary &&
      !fields->has(Field::kUserId)) {
    fields->user_id = std::string(value.text());
    fields->mark(Field::kUserId);
    return true;
  }
  if (name == kPropertiesName && value.type() == Type::kMap) {
    Cursor entries(value.text());
    ReadMap(&entries, &fields->properties);
    return true;
  }
  return false;
}

// Returns true when the body's data section holds an encoded value.
bool ReadAnnotations(Cursor* cursor, MessageFields* fields) {
  Cursor items;
  uint32_t count = 0;
  if (!cursor->Map(&items, &count)) return false;
  Appender appender(&fields->annotations, count / 2);
  bool holds_value = false;
  for (; count > 0 && items.ok(); count -= 2) {
    std::string_view name;
    const bool named = ReadText(&items, &name);
    Value v;
    if (!ReadValue(&items, &v) || !named) continue;
    if (name == kBodyName) {
      holds_value = true;
    } else if (!TakeAnnotation(name, v, fields)) {
      if (Value* const value = appender.Append(name)) *value = std::move(v);
    }
  }
  return holds_value;
}

// Passes over the head of another section of the kind, if that comes next.
bool NextIs(Section wanted, Cursor* cursor) {
  Cursor next = *cursor;
  Section section;
  if (next.done() || !ReadSectionHead(&next, &section) || section != wanted) {
    return false;
  }
  *cursor = next;
  return true;
}

// The value in a data section, which must be the only one and whole; as the
// check of the message has it.
void ReadHeldValue(Cursor* cursor, Value* value) {
  Cursor bytes(cursor->Binary());
  Cursor next = *cursor;
  Value held;
  if (ReadValue(&bytes, &held) && bytes.done() && !NextIs(kData, &next)) {
    *value = std::move(held);
  }
}

// The sequence sections from here on, as one list; a single one as it is.
Value ReadSequences(Cursor* cursor) {
  const std::string_view first = cursor->Skip();
  if (!NextIs(kSequence, cursor)) return Value::Composite(Type::kList, first);
  Writer writer;
  const size_t mark = writer.Begin();
  uint32_t total = 0;
  const auto add = [&](Cursor* list) {
    Cursor items;
    uint32_t count = 0;
    list->List(&items, &count);
    total += count;
    writer.Append({items.position(), items.left()});
  };
  Cursor at(first);
  add(&at);
  do {
    add(cursor);
  } while (NextIs(kSequence, cursor));
  writer.EndList(mark, total);
  return Value::Composite(Type::kList, writer.view());
}

class AmqpSource : public driver::MessageSource {
 public:
  void Decode(const driver::Native& native,
              MessageFields* fields) const override {
    Cursor cursor(native.encoded.view());
    Section section;
    bool holds_value = false;
    while (!cursor.done() && ReadSectionHead(&cursor, &section)) {
      switch (section) {
        case kHeader:
          ReadHeader(&cursor, fields);
          break;
        case kMessageAnnotations:
          holds_value = ReadAnnotations(&cursor, fields);
          break;
        case kProperties:
          ReadProperties(&cursor, fields);
          break;
        case kApplicationProperties:
          ReadMap(&cursor, &fields->properties);
          break;
        case kSequence:
          fields->body_value = ReadSequences(&cursor);
          break;
        case kValueSection:
          ReadValue(&cursor, &fields->body_value);
          break;
        case kFooter:
          ReadMap(&cursor, &fields->footer);
          break;
        case kData:
          if (std::exchange(holds_value, false)) {
            ReadHeldValue(&cursor, &fields->body_value);
          } else if (!cursor.SkipPlain()) {
            cursor.Skip();
          }
          break;
        case kDeliveryAnnotations:
          cursor.Skip();
          break;
      }
    }
  }
  void Release(void* /*handle*/) const override {}
};

class AmqpSourceWithoutSubject final : public AmqpSource {
 public:
  void Decode(const driver::Native& native,
              MessageFields* fields) const override {
    AmqpSource::Decode(native, fields);
    fields->subject.clear();
    fields->unmark(Field::kSubject);
  }
};

}  // namespace

const driver::MessageSource* Source() {
  static const AmqpSource source;
  return &source;
}

const driver::MessageSource* SourceWithoutSubject() {
  static const AmqpSourceWithoutSubject source;
  return &source;
}

}  // namespace tieline::inline v0::amqp::wire
