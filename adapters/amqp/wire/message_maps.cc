#include "adapters/amqp/wire/message_maps.h"

#include <string>

#include "adapters/amqp/wire/field_names.h"
#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {
namespace {

// An entry of a map with symbols for names.
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

void WriteName(std::string_view name, Writer* writer) {
  writer->SetEnd(PutSymbol(writer->Room(kMaxVariableHead + name.size()), name));
}

// Properties that application-properties may not have, as one annotation.
absl::Status WriteComposites(const Properties& properties, Writer* writer,
                             uint32_t* count) {
  const uint32_t composites = LookOver(properties).composites;
  if (composites == 0) return absl::OkStatus();
  WriteName(kPropertiesName, writer);
  const size_t mark = writer->Begin();
  for (const Property& p : properties) {
    if (!IsComposite(p.value)) continue;
    TIELINE_RETURN_IF_ERROR(CheckText("property", p.name));
    writer->SetEnd(
        PutString(writer->Room(kMaxVariableHead + p.name.size()), p.name));
    const absl::Status status = WriteValue(p.value, writer);
    if (!status.ok())
      return Annotate(status, fmt::format("property \"{}\"", p.name));
  }
  writer->EndMap(mark, 2 * composites);
  *count += 2;
  return absl::OkStatus();
}

// Why a property could not be written.
absl::Status WhyNot(const Property& p, Writer* writer) {
  TIELINE_RETURN_IF_ERROR(CheckText("property", p.name));
  return Annotate(WriteValue(p.value, writer),
                  fmt::format("property \"{}\"", p.name));
}

}  // namespace

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

MapContents LookOver(const Properties& list) {
  MapContents contents;
  for (const Property& p : list) {
    if (IsComposite(p.value)) {
      ++contents.composites;
    } else {
      ++contents.simple;
      contents.room += kMaxVariableHead + p.name.size() + MaxSize(p.value);
    }
  }
  return contents;
}

bool IsHeldValue(const Message& message, const EncodeOptions& options) {
  return options.for_rabbitmq && message.body_kind() == BodyKind::kValue &&
         IsComposite(message.body_value());
}

bool NeedsAnnotations(const Message& message, const MessageFields& fields,
                      const EncodeOptions& options) {
  constexpr uint32_t kAnnotated =
      FieldBits({Field::kDeliverAt, Field::kPartition});
  return !fields.annotations.empty() || (fields.present & kAnnotated) != 0 ||
         (options.for_rabbitmq &&
          (fields.has(Field::kUserId) || IsHeldValue(message, options)));
}

absl::Status WriteAnnotations(const Message& message,
                              const MessageFields& fields,
                              const EncodeOptions& options, Writer* writer) {
  const bool has_user_id = options.for_rabbitmq && fields.has(Field::kUserId);
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
  if (IsHeldValue(message, options)) {
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

absl::Status WriteApplicationProperties(const Properties& properties,
                                        const MapContents& contents,
                                        Writer* writer) {
  BeginSection(kApplicationProperties, writer);
  const size_t mark = writer->Begin();
  char* p = writer->Room(contents.room);
  for (const Property& one : properties) {
    if (IsComposite(one.value)) continue;
    const std::string_view name = one.name;
    char* const end = name.size() <= kMaxText && IsUtf8(name)
                          ? PutValue(PutString(p, name), one.value)
                          : nullptr;
    if (end == nullptr) return WhyNot(one, writer);
    p = end;
  }
  writer->SetEnd(p);
  writer->EndMap(mark, 2 * contents.simple);
  return absl::OkStatus();
}

absl::Status WriteFooter(const Properties& footer, Writer* writer) {
  BeginSection(kFooter, writer);
  const size_t mark = writer->Begin();
  for (const Property& p : footer) {
    TIELINE_RETURN_IF_ERROR(WriteSymbolEntry("footer entry", p, writer));
  }
  writer->EndMap(mark, static_cast<uint32_t>(2 * footer.size()));
  return absl::OkStatus();
}

}  // namespace tieline::inline v0::amqp::wire
