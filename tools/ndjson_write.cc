#include <cmath>
#include <string>

#include "lib/base/status.h"
#include "tools/ndjson.h"
#include "tools/ndjson_text.h"

namespace tieline::tools {
namespace {

std::string Base64(std::string_view bytes) {
  return Value::Binary(bytes).ToText();
}

void PutText(const std::string& name, std::string_view text, Json* out) {
  if (IsUtf8(text)) {
    (*out)[name] = std::string(text);
  } else {
    (*out)[name + "_base64"] = Base64(text);
  }
}

Json ToJson(const Value& value) {
  switch (value.type()) {
    case Type::kNull:
      return nullptr;
    case Type::kBool:
      return *value.AsBool();
    case Type::kLong:
      return *value.AsInt64();
    case Type::kDouble:
      if (std::isfinite(*value.AsDouble())) return *value.AsDouble();
      break;
    case Type::kString:
      if (IsUtf8(value.text())) return std::string(value.text());
      break;
    default:
      break;
  }
  Json typed = {{"type", std::string(TypeName(value.type()))}};
  if (value.type() == Type::kString || value.type() == Type::kSymbol) {
    PutText("value", value.text(), &typed);
  } else {
    typed["value"] = value.ToText();
  }
  return typed;
}

void PutValues(const std::string& name, const Properties& values, Json* out) {
  if (values.empty()) return;
  Json object = Json::object();
  Json raw = Json::array();
  for (const Property& property : values) {
    if (IsUtf8(property.name)) {
      object[property.name] = ToJson(property.value);
    } else {
      raw.push_back({{"name_base64", Base64(property.name)},
                     {"value", ToJson(property.value)}});
    }
  }
  if (!object.empty()) (*out)[name] = std::move(object);
  if (!raw.empty()) (*out)[name + "_raw"] = std::move(raw);
}

void PutBody(const Message& message, Json* out) {
  switch (message.body_kind()) {
    case BodyKind::kNull:
      (*out)["body"] = nullptr;
      break;
    case BodyKind::kData:
      PutText("body", message.body_view(), out);
      break;
    case BodyKind::kValue:
      (*out)["body_value"] = ToJson(message.body_value());
      break;
    case BodyKind::kSequence:
      (*out)["body_sequence"] = ToJson(message.body_value());
      break;
  }
}

void PutId(const std::string& name, std::string_view text, Type type,
           Json* out) {
  PutText(name, text, out);
  if (type != Type::kString) {
    (*out)[name + "_type"] = std::string(TypeName(type));
  }
}

Json Fields(const Message& message) {
  Json out = Json::object();
  if (message.has(Field::kId)) {
    PutId("id", message.id(), message.id_type(), &out);
  }
  for (const TextField& field : kTextFields) {
    if (message.has(field.field)) {
      PutText(field.name, (message.*field.get)(), &out);
    }
  }
  if (message.has(Field::kCorrelationId)) {
    PutId("correlation_id", message.correlation_id(),
          message.correlation_id_type(), &out);
  }
  if (message.has(Field::kGroupSequence)) {
    out["group_sequence"] = message.group_sequence();
  }
  if (message.has(Field::kPriority)) out["priority"] = message.priority();
  if (message.has(Field::kDurable)) out["durable"] = message.durable();
  if (message.has(Field::kTtl)) {
    out["ttl_ms"] = absl::ToInt64Milliseconds(message.ttl());
  }
  for (const TimeField& field : kTimeFields) {
    if (!message.has(field.field)) continue;
    out[field.name] = absl::FormatTime(
        absl::RFC3339_full, (message.*field.get)(), absl::UTCTimeZone());
  }
  if (message.has(Field::kPartition)) out["partition"] = *message.partition();
  PutBody(message, &out);
  PutValues("properties", message.properties(), &out);
  PutValues("annotations", message.annotations(), &out);
  PutValues("footer", message.footer(), &out);
  return out;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i <= more) return false;
    uint32_t code = lead & (0x3fu >> more);
    for (size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      code = (code << 6) | (byte & 0x3fu);
    }
    const bool overlong =
        (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

std::string ToJsonLine(const Message& message) { return Dump(Fields(message)); }

std::string ToJsonLine(const Delivery& delivery) {
  Json out = Fields(delivery.message());
  Json from = Json::object();
  if (delivery.position() >= 0) from["position"] = delivery.position();
  const std::string lane = delivery.lane();
  if (!lane.empty() && IsUtf8(lane)) from["lane"] = lane;
  if (delivery.attempts() > 0) from["attempts"] = delivery.attempts();
  if (delivery.redelivered()) from["redelivered"] = true;
  if (!from.empty()) out["delivery"] = std::move(from);
  return Dump(out);
}

}  // namespace tieline::tools
