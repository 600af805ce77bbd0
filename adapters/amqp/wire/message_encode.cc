// Sending: messages to AMQP's message format.
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include "adapters/amqp/wire/field_list.h"
#include "adapters/amqp/wire/field_names.h"
#include "adapters/amqp/wire/group_id.h"
#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/message_header.h"
#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr size_t kMaxText = std::numeric_limits<uint32_t>::max();

absl::Status CheckText(std::string_view name, std::string_view text) {
  if (text.size() > kMaxText) return InvalidArgument("{} is too long", name);
  if (IsUtf8(text)) return absl::OkStatus();
  return InvalidArgument("{} is not UTF-8, which AMQP wants there", name);
}

absl::Status CheckSymbol(std::string_view name, std::string_view text) {
  if (text.size() <= kMaxText && IsAscii(text)) return absl::OkStatus();
  return InvalidArgument("{} \"{}\" is not ASCII, which AMQP wants there", name,
                         text.substr(0, 80));
}

absl::Status CheckFields(const MessageFields& f) {
  TIELINE_RETURN_IF_ERROR(CheckText("to", f.to));
  TIELINE_RETURN_IF_ERROR(CheckText("subject", f.subject));
  TIELINE_RETURN_IF_ERROR(CheckText("reply-to", f.reply_to));
  TIELINE_RETURN_IF_ERROR(CheckText("reply-to key", f.reply_to_key));
  TIELINE_RETURN_IF_ERROR(CheckSymbol("content type", f.content_type));
  return CheckSymbol("content encoding", f.content_encoding);
}

void WriteKey(const Message& message, FieldList* list) {
  if (!message.has(Field::kKey)) return list->Absent();
  const std::string_view key = message.key();
  if (IsPlainGroupId(key)) return list->Text(true, key);
  list->Text(true, EncodeGroupId(key));
}

// The properties section of a message with no fields but id and key.
void WriteIdAndKey(const Message& message, Writer* writer) {
  const bool has_id = message.has(Field::kId);
  if (!has_id && !message.has(Field::kKey)) return;
  FieldList list(writer);
  list.Id(has_id, message.id(), Type::kString);
  list.Absent(9);
  WriteKey(message, &list);
  list.End();
}

constexpr uint32_t Bits(std::initializer_list<Field> fields) {
  uint32_t bits = 0;
  for (const Field f : fields) bits |= 1u << static_cast<int>(f);
  return bits;
}

constexpr uint32_t kInProperties =
    Bits({Field::kId, Field::kUserId, Field::kTo, Field::kSubject,
          Field::kReplyTo, Field::kCorrelationId, Field::kContentType,
          Field::kContentEncoding, Field::kExpires, Field::kCreated,
          Field::kGroupSequence, Field::kReplyToKey});

absl::Status WriteFields(const Message& message, const MessageFields& f,
                         const EncodeOptions& options, Writer* writer) {
  if ((f.present & kInProperties) == 0) {
    WriteIdAndKey(message, writer);
    return absl::OkStatus();
  }
  TIELINE_RETURN_IF_ERROR(CheckFields(f));
  FieldList list(writer);
  list.Id(f.has(Field::kId), f.id, f.id_type);
  list.Binary(f.has(Field::kUserId) && !options.for_rabbitmq, f.user_id);
  list.Text(f.has(Field::kTo), f.to);
  list.Text(f.has(Field::kSubject), f.subject);
  list.Text(f.has(Field::kReplyTo), f.reply_to);
  list.Id(f.has(Field::kCorrelationId), f.correlation_id,
          f.correlation_id_type);
  list.Symbol(f.has(Field::kContentType), f.content_type);
  list.Symbol(f.has(Field::kContentEncoding), f.content_encoding);
  list.Time(f.has(Field::kExpires), f.expires);
  list.Time(f.has(Field::kCreated), f.created);
  WriteKey(message, &list);
  list.UInt(f.has(Field::kGroupSequence), f.group_sequence);
  list.Text(f.has(Field::kReplyToKey), f.reply_to_key);
  list.End();
  return absl::OkStatus();
}

bool IsComposite(const Value& value) { return value.type() >= Type::kList; }

bool IsSimple(const Value& value) { return !IsComposite(value); }

bool HasComposites(const Properties& properties) {
  return std::any_of(properties.begin(), properties.end(),
                     [](const Property& p) { return IsComposite(p.value); });
}

// The entries of a map with text for names, those that `wanted` takes.
absl::Status WriteEntries(const Properties& list, bool (*wanted)(const Value&),
                          std::string_view what, Writer* writer,
                          uint32_t* count) {
  for (const Property& p : list) {
    if (!wanted(p.value)) continue;
    if (!IsUtf8(p.name)) return CheckText(what, p.name);
    writer->SetEnd(
        PutString(writer->Room(kMaxVariableHead + p.name.size()), p.name));
    const absl::Status status = WriteValue(p.value, writer);
    if (!status.ok())
      return Annotate(status, fmt::format("{} \"{}\"", what, p.name));
    *count += 2;
  }
  return absl::OkStatus();
}

absl::Status WriteApplicationProperties(const Properties& properties,
                                        Writer* writer) {
  if (properties.empty()) return absl::OkStatus();
  const size_t start = writer->size();
  BeginSection(kApplicationProperties, writer);
  const size_t mark = writer->Begin();
  uint32_t count = 0;
  TIELINE_RETURN_IF_ERROR(
      WriteEntries(properties, IsSimple, "property", writer, &count));
  if (count == 0) {
    writer->Truncate(start);
  } else {
    writer->EndMap(mark, count);
  }
  return absl::OkStatus();
}

// A map with symbols for names, without the entry called `except`.
absl::Status WriteSymbolEntry(std::string_view what, const Property& p,
                              Writer* writer) {
  TIELINE_RETURN_IF_ERROR(CheckSymbol(what, p.name));
  writer->SetEnd(
      PutSymbol(writer->Room(kMaxVariableHead + p.name.size()), p.name));
  const absl::Status status = WriteValue(p.value, writer);
  if (!status.ok())
    return Annotate(status, fmt::format("{} \"{}\"", what, p.name));
  return absl::OkStatus();
}

absl::Status WriteFooter(const Properties& footer, Writer* writer) {
  if (footer.empty()) return absl::OkStatus();
  BeginSection(kFooter, writer);
  const size_t mark = writer->Begin();
  for (const Property& p : footer) {
    TIELINE_RETURN_IF_ERROR(WriteSymbolEntry("footer entry", p, writer));
  }
  writer->EndMap(mark, static_cast<uint32_t>(2 * footer.size()));
  return absl::OkStatus();
}

void WriteName(std::string_view name, Writer* writer) {
  writer->SetEnd(PutSymbol(writer->Room(kMaxVariableHead + name.size()), name));
}

// Properties that application-properties may not have, as one annotation.
absl::Status WriteComposites(const Properties& properties, Writer* writer,
                             uint32_t* count) {
  if (!HasComposites(properties)) return absl::OkStatus();
  WriteName(kPropertiesName, writer);
  const size_t mark = writer->Begin();
  uint32_t entries = 0;
  TIELINE_RETURN_IF_ERROR(
      WriteEntries(properties, IsComposite, "property", writer, &entries));
  writer->EndMap(mark, entries);
  *count += 2;
  return absl::OkStatus();
}

// A body that RabbitMQ wants as data.
bool IsHeldValue(const Message& message, const EncodeOptions& options) {
  return options.for_rabbitmq && message.body_kind() == BodyKind::kValue &&
         IsComposite(message.body_value());
}

absl::Status WriteAnnotations(const Message& message,
                              const MessageFields& fields,
                              const EncodeOptions& options, Writer* writer) {
  const bool has_user_id = options.for_rabbitmq && fields.has(Field::kUserId);
  const bool holds_value = IsHeldValue(message, options);
  if (fields.annotations.empty() && !has_user_id && !holds_value &&
      (fields.present & Bits({Field::kDeliverAt, Field::kPartition})) == 0 &&
      !HasComposites(fields.properties)) {
    return absl::OkStatus();
  }
  const size_t start = writer->size();
  BeginSection(kMessageAnnotations, writer);
  const size_t mark = writer->Begin();
  uint32_t count = 0;
  const bool timed = fields.has(Field::kDeliverAt) &&
                     fields.deliver_at != absl::InfinitePast() &&
                     fields.deliver_at != absl::InfiniteFuture();
  for (const Property& p : fields.annotations) {
    // What fields say counts.
    if ((timed && (p.name == kDeliveryTimeName ||
                   p.name == kScheduledEnqueueTimeName)) ||
        p.name == kPartitionName || p.name == kPropertiesName ||
        p.name == kBodyName || (has_user_id && p.name == kUserIdName)) {
      continue;
    }
    TIELINE_RETURN_IF_ERROR(WriteSymbolEntry("annotation", p, writer));
    count += 2;
  }
  if (timed) {
    const int64_t ms = absl::ToUnixMillis(fields.deliver_at);
    if (options.scheduling == Scheduling::kDeliveryTime) {
      // Artemis overlooks it unless it is a number.
      WriteName(kDeliveryTimeName, writer);
      writer->SetEnd(PutLong(writer->Room(kMaxFixed), ms));
    } else {
      WriteName(kScheduledEnqueueTimeName, writer);
      writer->SetEnd(PutTimestamp(writer->Room(kMaxFixed), ms));
    }
    count += 2;
  }
  if (fields.has(Field::kPartition)) {
    WriteName(kPartitionName, writer);
    writer->SetEnd(PutInt(writer->Room(kMaxFixed), fields.partition));
    count += 2;
  }
  if (has_user_id) {
    WriteName(kUserIdName, writer);
    writer->SetEnd(
        PutBinary(writer->Room(kMaxVariableHead + fields.user_id.size()),
                  fields.user_id));
    count += 2;
  }
  if (holds_value) {
    WriteName(kBodyName, writer);
    writer->SetEnd(PutSymbol(writer->Room(kMaxFixed), "value"));
    count += 2;
  }
  TIELINE_RETURN_IF_ERROR(WriteComposites(fields.properties, writer, &count));
  if (count == 0) {
    writer->Truncate(start);
  } else {
    writer->EndMap(mark, count);
  }
  return absl::OkStatus();
}

absl::Status WriteSequence(const Value& list, Writer* writer) {
  if (list.type() != Type::kList) {
    return InvalidArgument("a sequence body is a {}, not a list",
                           TypeName(list.type()));
  }
  BeginSection(kSequence, writer);
  return Annotate(WriteValue(list, writer), "sequence body");
}

// A composite value, encoded, as data.
absl::Status WriteHeldValue(const Value& value, Writer* writer) {
  BeginSection(kData, writer);
  writer->SetEnd(PutVariableHead(writer->Room(kMaxVariableHead), kCodeBinary8,
                                 kCodeBinary32, value.text().size()));
  return Annotate(WriteValue(value, writer), "value body");
}

// The body, or its head alone with the bytes in `*rest`.
absl::Status WriteBody(const Message& message, const EncodeOptions& options,
                       size_t inline_limit, Writer* writer, Bytes* rest) {
  switch (message.body_kind()) {
    case BodyKind::kData: {
      const std::string_view body = message.body_view();
      if (body.size() > kMaxText)
        return InvalidArgument("body of 4 GiB or more");
      const bool copies = body.size() <= inline_limit;
      char* p = writer->Room(kDescriptorSize + kMaxVariableHead +
                             (copies ? body.size() : 0));
      p = PutSectionHead(p, kData);
      if (copies) {
        writer->SetEnd(PutBinary(p, body));
        return absl::OkStatus();
      }
      writer->SetEnd(
          PutVariableHead(p, kCodeBinary8, kCodeBinary32, body.size()));
      *rest = message.body();
      return absl::OkStatus();
    }
    case BodyKind::kSequence:
      return WriteSequence(message.body_value(), writer);
    case BodyKind::kNull:
    case BodyKind::kValue:
      break;
  }
  if (IsHeldValue(message, options)) {
    return WriteHeldValue(message.body_value(), writer);
  }
  BeginSection(kValueSection, writer);
  const bool is_null = message.body_kind() == BodyKind::kNull;
  return Annotate(WriteValue(is_null ? Value() : message.body_value(), writer),
                  "value body");
}

// True when an annotation is there that must have another name, or that only
// RabbitMQ gets.
bool NeedsRenaming(std::string_view annotations, const EncodeOptions& options) {
  const auto has = [&](std::string_view name) {
    return annotations.find(name) != std::string_view::npos;
  };
  return has(options.scheduling == Scheduling::kDeliveryTime
                 ? kScheduledEnqueueTimeName
                 : kDeliveryTimeName) ||
         (!options.for_rabbitmq && (has(kUserIdName) || has(kBodyName)));
}

// True when the properties section that comes next has a user id.
bool HasUserId(Cursor* cursor) {
  ListReader list(cursor);
  list.Skip();
  return list.Has();
}

// True when a section of the message must be written anew. Moves behind those
// that are followed by others to look at.
bool NeedsRewriting(Section section, Cursor* cursor,
                    const EncodeOptions& options) {
  Type type = Type::kNull;
  switch (section) {
    case kMessageAnnotations:
      return NeedsRenaming(cursor->Skip(), options);
    case kProperties:
      return options.for_rabbitmq && HasUserId(cursor);
    case kApplicationProperties:
      cursor->Skip();
      return false;
    case kValueSection:
      return options.for_rabbitmq && TypeOfCode(cursor->Peek(), &type) &&
             type >= Type::kList;
    default:
      return false;
  }
}

// Passes an unchanged message on. False when it can't be.
bool PassOn(const driver::Native& native, const EncodeOptions& options,
            Writer* writer, Bytes* rest) {
  const std::string_view encoded = native.encoded.view();
  Cursor cursor(encoded);
  Header header;
  size_t bare = encoded.size();  // where every hop passes on what there is
  const Section last = options.for_rabbitmq ? kData : kProperties;
  Section section = kHeader;
  while (!cursor.done() && section < last) {
    const size_t start = encoded.size() - cursor.left();
    if (!ReadSectionHead(&cursor, &section)) return false;
    if (section == kHeader) {
      header = ReadHeader(&cursor);
    } else if (section == kDeliveryAnnotations) {
      cursor.Skip();
    } else {
      bare = std::min(bare, start);
      if (NeedsRewriting(section, &cursor, options)) return false;
    }
  }
  WriteHeader(header, options, writer);
  if (encoded.size() - bare <= options.inline_limit) {
    writer->Append(encoded.substr(bare));
  } else {
    *rest = native.encoded.Slice(bare);
  }
  return true;
}

absl::Status Write(const Message& message, const EncodeOptions& options,
                   Writer* writer, Bytes* rest) {
  uint32_t changed = 0;
  const driver::Native* native = driver::NativeOf(message, Source(), &changed);
  if (native != nullptr && changed == driver::kChangedNothing &&
      PassOn(*native, options, writer, rest)) {
    return absl::OkStatus();
  }
  if (!driver::MayHaveFields(message)) {
    WriteHeader(Header(), options, writer);
    WriteIdAndKey(message, writer);
    return WriteBody(message, options, options.inline_limit, writer, rest);
  }
  const MessageFields& fields = driver::FieldsOf(message);
  WriteHeader(HeaderOf(fields), options, writer);
  TIELINE_RETURN_IF_ERROR(WriteAnnotations(message, fields, options, writer));
  TIELINE_RETURN_IF_ERROR(WriteFields(message, fields, options, writer));
  TIELINE_RETURN_IF_ERROR(
      WriteApplicationProperties(fields.properties, writer));
  // With something behind the body, it is copied in.
  const size_t limit = fields.footer.empty() ? options.inline_limit : kMaxText;
  TIELINE_RETURN_IF_ERROR(WriteBody(message, options, limit, writer, rest));
  return WriteFooter(fields.footer, writer);
}

}  // namespace

absl::Status EncodeMessage(const Message& message, const EncodeOptions& options,
                           Writer* writer, Bytes* rest) {
  *rest = Bytes();
  const size_t size = writer->size();
  absl::Status status = Write(message, options, writer, rest);
  if (!status.ok()) {
    writer->Truncate(size);
    *rest = Bytes();
  }
  return status;
}

absl::StatusOr<Bytes> EncodeToBytes(const Message& message,
                                    const EncodeOptions& options) {
  Writer writer;
  Bytes rest;
  const absl::Status status = EncodeMessage(message, options, &writer, &rest);
  if (!status.ok()) return status;
  std::string whole(writer.view());
  whole += rest.view();
  return Bytes::Take(std::move(whole));
}

}  // namespace tieline::inline v0::amqp::wire
