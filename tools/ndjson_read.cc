#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "lib/base/status.h"
#include "lib/config/fault.h"
#include "tools/ndjson.h"
#include "tools/ndjson_text.h"

namespace tieline::tools {
namespace {

constexpr int kMaxDepth = 8;

// All members that a line may have.
const std::set<std::string_view>& MemberNames() {
  static const auto* names = [] {
    auto* all = new std::set<std::string_view>{"id",
                                               "id_base64",
                                               "id_type",
                                               "correlation_id",
                                               "correlation_id_base64",
                                               "correlation_id_type",
                                               "group_sequence",
                                               "priority",
                                               "durable",
                                               "ttl_ms",
                                               "created",
                                               "expires",
                                               "deliver_at",
                                               "partition",
                                               "body",
                                               "body_base64",
                                               "body_value",
                                               "body_sequence",
                                               "properties",
                                               "properties_raw",
                                               "annotations",
                                               "annotations_raw",
                                               "footer",
                                               "footer_raw",
                                               "delivery"};
    static std::vector<std::string> with_base64;
    with_base64.reserve(kTextFields.size());
    for (const TextField& field : kTextFields) {
      all->insert(field.name);
      with_base64.push_back(std::string(field.name) + "_base64");
    }
    all->insert(with_base64.begin(), with_base64.end());
    return all;
  }();
  return *names;
}

absl::StatusOr<std::string> FromBase64(const std::string& member,
                                       const Json& json) {
  if (!json.is_string()) {
    return InvalidArgument("\"{}\": expected base64 text", member);
  }
  auto value = Value::Parse(Type::kBinary, json.get_ref<const std::string&>());
  if (!value.ok()) return Annotate(value.status(), "\"" + member + "\"");
  return std::string(value->text());
}

// The text of `name`, or the bytes of `name`_base64.
absl::StatusOr<std::optional<std::string>> Text(const Json& line,
                                                const std::string& name) {
  const auto plain = line.find(name);
  if (plain != line.end()) {
    if (!plain->is_string()) {
      return InvalidArgument("\"{}\": expected text", name);
    }
    return plain->get<std::string>();
  }
  const auto encoded = line.find(name + "_base64");
  if (encoded == line.end()) return std::nullopt;
  TIELINE_ASSIGN_OR_RETURN(std::string bytes,
                           FromBase64(name + "_base64", *encoded));
  return bytes;
}

absl::StatusOr<Value> TypedValue(const Json& json) {
  const auto type_name = json.find("type");
  if (type_name == json.end() || !type_name->is_string() || json.size() != 2) {
    return InvalidArgument(
        "expected a value, or {{\"type\":TYPE,\"value\":TEXT}}");
  }
  const auto type = TypeFromName(type_name->get_ref<const std::string&>());
  if (!type.has_value()) {
    return InvalidArgument("unknown type \"{}\"",
                           type_name->get_ref<const std::string&>());
  }
  TIELINE_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                           Text(json, "value"));
  if (!text.has_value()) return InvalidArgument("\"value\" is missing");
  if (*type == Type::kString) return Value(*text);
  if (*type == Type::kSymbol) return Value::Symbol(*text);
  return Value::Parse(*type, *text);
}

absl::StatusOr<Value> ToValue(const Json& json) {
  if (json.is_null()) return Value();
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_unsigned()) {
    const auto number = json.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) return Value(number);
    return Value(static_cast<int64_t>(number));
  }
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number_float()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<std::string>());
  if (json.is_object()) return TypedValue(json);
  return InvalidArgument(
      "expected a value, or {{\"type\":TYPE,\"value\":TEXT}}, found a list");
}

absl::Status ReadValues(const Json& line, const std::string& name,
                        Properties* values) {
  const auto plain = line.find(name);
  if (plain != line.end()) {
    if (!plain->is_object()) {
      return InvalidArgument("\"{}\": expected an object", name);
    }
    for (const auto& [key, json] : plain->items()) {
      auto value = ToValue(json);
      if (!value.ok()) {
        return Annotate(value.status(), fmt::format("\"{}.{}\"", name, key));
      }
      values->Set(key, *std::move(value));
    }
  }
  const auto raw = line.find(name + "_raw");
  if (raw == line.end()) return absl::OkStatus();
  for (const Json& one : *raw) {
    if (!one.is_object() || !one.contains("name_base64") ||
        !one.contains("value")) {
      return InvalidArgument(
          "\"{}_raw\": expected a list of name_base64 and "
          "value",
          name);
    }
    TIELINE_ASSIGN_OR_RETURN(const std::string key,
                             FromBase64("name_base64", one["name_base64"]));
    TIELINE_ASSIGN_OR_RETURN(Value value, ToValue(one["value"]));
    values->Set(key, std::move(value));
  }
  return absl::OkStatus();
}

absl::Status ReadBody(const Json& line, Message* message) {
  const auto value = line.find("body_value");
  const auto sequence = line.find("body_sequence");
  if (value != line.end()) {
    TIELINE_ASSIGN_OR_RETURN(Value v, ToValue(*value));
    message->set_value_body(std::move(v));
    return absl::OkStatus();
  }
  if (sequence != line.end()) {
    TIELINE_ASSIGN_OR_RETURN(Value v, ToValue(*sequence));
    if (v.type() != Type::kList) {
      return InvalidArgument("\"body_sequence\": expected type list");
    }
    message->set_sequence_body(std::move(v));
    return absl::OkStatus();
  }
  const auto body = line.find("body");
  if (body != line.end() && body->is_null()) return absl::OkStatus();
  TIELINE_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                           Text(line, "body"));
  if (text.has_value()) message->set_body(*text);
  return absl::OkStatus();
}

absl::StatusOr<Type> IdType(const Json& line, const std::string& name) {
  const auto member = line.find(name);
  if (member == line.end()) return Type::kString;
  const auto type = member->is_string()
                        ? TypeFromName(member->get_ref<const std::string&>())
                        : std::nullopt;
  for (Type allowed :
       {Type::kString, Type::kULong, Type::kUuid, Type::kBinary}) {
    if (type == allowed) return allowed;
  }
  return InvalidArgument("\"{}\": expected string, ulong, uuid or binary",
                         name);
}

absl::Status ReadIds(const Json& line, Message* message) {
  TIELINE_ASSIGN_OR_RETURN(auto id, Text(line, "id"));
  TIELINE_ASSIGN_OR_RETURN(const Type id_type, IdType(line, "id_type"));
  if (id.has_value()) message->set_id(*id, id_type);
  TIELINE_ASSIGN_OR_RETURN(auto correlation, Text(line, "correlation_id"));
  TIELINE_ASSIGN_OR_RETURN(const Type correlation_type,
                           IdType(line, "correlation_id_type"));
  if (correlation.has_value()) {
    message->set_correlation_id(*correlation, correlation_type);
  }
  return absl::OkStatus();
}

// A whole number of `line` from 0 to `max`, if it is there.
absl::StatusOr<std::optional<int64_t>> Number(const Json& line,
                                              const char* name, int64_t max) {
  const auto member = line.find(name);
  if (member == line.end()) return std::nullopt;
  if (!member->is_number_integer() ||
      (member->is_number_unsigned() &&
       member->get<uint64_t>() > static_cast<uint64_t>(max)) ||
      member->get<int64_t>() < 0) {
    return InvalidArgument("\"{}\": expected a number from 0 to {}", name, max);
  }
  return member->get<int64_t>();
}

absl::Status ReadNumbers(const Json& line, Message* message) {
  TIELINE_ASSIGN_OR_RETURN(auto sequence,
                           Number(line, "group_sequence", UINT32_MAX));
  if (sequence) message->set_group_sequence(static_cast<uint32_t>(*sequence));
  TIELINE_ASSIGN_OR_RETURN(auto priority, Number(line, "priority", 255));
  if (priority) message->set_priority(static_cast<uint8_t>(*priority));
  TIELINE_ASSIGN_OR_RETURN(auto ttl, Number(line, "ttl_ms", INT64_MAX / 2));
  if (ttl) message->set_ttl(absl::Milliseconds(*ttl));
  TIELINE_ASSIGN_OR_RETURN(auto partition,
                           Number(line, "partition", INT32_MAX));
  if (partition) message->set_partition(static_cast<int32_t>(*partition));
  const auto durable = line.find("durable");
  if (durable != line.end()) {
    if (!durable->is_boolean()) {
      return InvalidArgument("\"durable\": expected true or false");
    }
    message->set_durable(durable->get<bool>());
  }
  return absl::OkStatus();
}

absl::Status ReadTimes(const Json& line, Message* message) {
  for (const TimeField& field : kTimeFields) {
    const auto member = line.find(field.name);
    if (member == line.end()) continue;
    absl::Time time;
    if (!member->is_string() ||
        !absl::ParseTime(absl::RFC3339_full,
                         member->get_ref<const std::string&>(), &time,
                         nullptr)) {
      return InvalidArgument(
          "\"{}\": expected a time such as "
          "2026-01-31T12:00:00Z",
          field.name);
    }
    field.set(message, time);
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const Json& line) {
  for (const auto& [name, unused] : line.items()) {
    if (MemberNames().count(name) != 0) continue;
    const std::vector<std::string_view> names(MemberNames().begin(),
                                              MemberNames().end());
    return InvalidArgument("unknown member \"{}\"{}", name,
                           config::Suggestion(name, names));
  }
  return absl::OkStatus();
}

// Parses without exceptions; what nests deeper than a message can is refused.
absl::StatusOr<Json> ParseObject(std::string_view text) {
  bool too_deep = false;
  const Json::parser_callback_t callback = [&](int depth, Json::parse_event_t,
                                               Json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  Json json = Json::parse(text, callback, /*allow_exceptions=*/false);
  if (too_deep) return InvalidArgument("nested too deep for a message");
  if (json.is_discarded() || !json.is_object()) {
    return InvalidArgument(
        "expected a JSON object, such as {{\"body\":\"hi\"}}");
  }
  return json;
}

}  // namespace

absl::StatusOr<Message> FromJsonLine(std::string_view text) {
  TIELINE_ASSIGN_OR_RETURN(const Json line, ParseObject(text));
  TIELINE_RETURN_IF_ERROR(CheckNames(line));
  Message message;
  TIELINE_RETURN_IF_ERROR(ReadBody(line, &message));
  TIELINE_RETURN_IF_ERROR(ReadIds(line, &message));
  for (const TextField& field : kTextFields) {
    TIELINE_ASSIGN_OR_RETURN(const auto value, Text(line, field.name));
    if (value.has_value()) field.set(&message, *value);
  }
  TIELINE_RETURN_IF_ERROR(ReadNumbers(line, &message));
  TIELINE_RETURN_IF_ERROR(ReadTimes(line, &message));
  struct Values {
    const char* name;
    Properties& (Message::*get)();
  };
  for (const Values& values :
       {Values{"properties", &Message::mutable_properties},
        Values{"annotations", &Message::mutable_annotations},
        Values{"footer", &Message::mutable_footer}}) {
    Properties read;
    TIELINE_RETURN_IF_ERROR(ReadValues(line, values.name, &read));
    if (!read.empty()) (message.*values.get)() = std::move(read);
  }
  return message;
}

bool LooksLikeMessage(std::string_view text) {
  const auto line = ParseObject(text);
  if (!line.ok() || !CheckNames(*line).ok()) return false;
  for (const char* body :
       {"body", "body_base64", "body_value", "body_sequence"}) {
    if (line->contains(body)) return true;
  }
  return false;
}

}  // namespace tieline::tools
