// Sending: messages to AMQP's message format.
#include <algorithm>
#include <string>
#include <utility>

#include "adapters/amqp/wire/field_list.h"
#include "adapters/amqp/wire/field_names.h"
#include "adapters/amqp/wire/group_id.h"
#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/message_header.h"
#include "adapters/amqp/wire/message_maps.h"
#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {
namespace {

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

constexpr uint32_t kInProperties =
    FieldBits({Field::kId, Field::kUserId, Field::kTo, Field::kSubject,
               Field::kReplyTo, Field::kCorrelationId, Field::kContentType,
               Field::kContentEncoding, Field::kExpires, Field::kCreated,
               Field::kGroupSequence, Field::kReplyToKey});

absl::Status WriteFields(const Message& message, const MessageFields& f,
                         const EncodeOptions& options, Writer* writer) {
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

// A name in a map, or none, passed over, when it is no text.
std::string_view NextName(Cursor* items) {
  std::string_view name;
  if (items->PlainText(&name)) return name;
  if (items->Peek() == kCodeSymbol32) return items->Symbol();
  if (items->Peek() == kCodeString32) return items->String();
  items->Skip();
  return {};
}

// Passes over the annotations. True when one is there that must have another
// name, or that only RabbitMQ gets.
bool NeedsRenaming(Cursor* cursor, const EncodeOptions& options) {
  const std::string_view other_time =
      options.scheduling == Scheduling::kDeliveryTime
          ? kScheduledEnqueueTimeName
          : kDeliveryTimeName;
  Cursor items;
  uint32_t count = 0;
  cursor->Map(&items, &count);
  for (; count > 0 && items.ok(); count -= 2) {
    const std::string_view name = NextName(&items);
    if (name == other_time ||
        (!options.for_rabbitmq && (name == kUserIdName || name == kBodyName))) {
      return true;
    }
    if (!items.SkipPlain()) items.Skip();
  }
  return false;
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
      return NeedsRenaming(cursor, options);
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

// A message that has nothing but body, key, id and simple properties.
absl::Status WriteLight(const Message& message, const Properties& properties,
                        const MapContents& contents,
                        const EncodeOptions& options, Writer* writer,
                        Bytes* rest) {
  WriteHeader(Header(), options, writer);
  WriteIdAndKey(message, writer);
  if (contents.simple > 0) {
    TIELINE_RETURN_IF_ERROR(
        WriteApplicationProperties(properties, contents, writer));
  }
  return WriteBody(message, options, options.inline_limit, writer, rest);
}

absl::Status Write(const Message& message, const EncodeOptions& options,
                   Writer* writer, Bytes* rest) {
  uint32_t changed = 0;
  const driver::Native* native = driver::NativeOf(message, Source(), &changed);
  if (native != nullptr && changed == driver::kChangedNothing &&
      PassOn(*native, options, writer, rest)) {
    return absl::OkStatus();
  }
  if (const Properties* light = driver::LightPropertiesOf(message)) {
    const MapContents contents = LookOver(*light);
    if (contents.composites == 0) {
      return WriteLight(message, *light, contents, options, writer, rest);
    }
  }
  const MessageFields& fields = driver::FieldsOf(message);
  WriteHeader(HeaderOf(fields), options, writer);
  const MapContents properties = LookOver(fields.properties);
  if (NeedsAnnotations(message, fields, options) || properties.composites > 0) {
    TIELINE_RETURN_IF_ERROR(WriteAnnotations(message, fields, options, writer));
  }
  if ((fields.present & kInProperties) == 0) {
    WriteIdAndKey(message, writer);
  } else {
    TIELINE_RETURN_IF_ERROR(WriteFields(message, fields, options, writer));
  }
  if (properties.simple > 0) {
    TIELINE_RETURN_IF_ERROR(
        WriteApplicationProperties(fields.properties, properties, writer));
  }
  // With something behind the body, it is copied in.
  const size_t limit = fields.footer.empty() ? options.inline_limit : kMaxText;
  TIELINE_RETURN_IF_ERROR(WriteBody(message, options, limit, writer, rest));
  return fields.footer.empty() ? absl::OkStatus()
                               : WriteFooter(fields.footer, writer);
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
