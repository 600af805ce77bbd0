#include "adapters/kafka/header_mapping.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

#include "adapters/kafka/utf8.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

constexpr std::string_view kOwn = "tieline-";
constexpr std::string_view kAnnotation = "tieline-a-";
constexpr std::string_view kFooter = "tieline-f-";
constexpr std::string_view kEscaped = "tieline-p-";
constexpr std::string_view kTypes = "tieline-types";
constexpr std::string_view kBody = "tieline-body";
constexpr std::string_view kId = "tieline-id";
constexpr std::string_view kCorrelationId = "tieline-correlation-id";

struct TextField {
  std::string_view header;
  Field field;
  std::string MessageFields::*text;
};
constexpr std::array kTextFields = {
    TextField{"content-type", Field::kContentType,
              &MessageFields::content_type},
    TextField{"content-encoding", Field::kContentEncoding,
              &MessageFields::content_encoding},
    TextField{kId, Field::kId, &MessageFields::id},
    TextField{kCorrelationId, Field::kCorrelationId,
              &MessageFields::correlation_id},
    TextField{"tieline-subject", Field::kSubject, &MessageFields::subject},
    TextField{"tieline-to", Field::kTo, &MessageFields::to},
    TextField{"tieline-reply-to", Field::kReplyTo, &MessageFields::reply_to},
    TextField{"tieline-reply-to-key", Field::kReplyToKey,
              &MessageFields::reply_to_key},
    TextField{"tieline-user-id", Field::kUserId, &MessageFields::user_id},
};

bool IsReserved(std::string_view name) {
  return name == "content-type" || name == "content-encoding" ||
         name.starts_with(kOwn);
}

bool BreaksTypes(char c) { return c == '%' || c == '=' || c == ';'; }

using Types = std::unordered_map<std::string, Type>;

void Unescape(std::string_view text, std::string* out) {
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const char* at = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(at, at + 2, code, 16).ptr == at + 2) {
      out->push_back(static_cast<char>(code));
      i += 2;
    } else {
      out->push_back(text[i]);
    }
  }
}

Types ParseTypes(std::span<const Header> headers) {
  Types types;
  for (const Header& header : headers) {
    if (header.name != kTypes) continue;
    std::string_view rest = header.value;
    while (!rest.empty() && types.size() < kMaxHeaders) {
      const std::string_view entry = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
      const size_t equals = entry.rfind('=');
      if (equals > 3 * kMaxHeaderName) continue;  // or there is none
      const auto type = TypeFromName(entry.substr(equals + 1));
      if (!type) continue;
      std::string name;
      Unescape(entry.substr(0, equals), &name);
      types[std::move(name)] = *type;
    }
  }
  return types;
}

std::optional<Type> DeclaredType(const Types& types, std::string_view name) {
  if (types.empty()) return std::nullopt;
  const auto found = types.find(std::string(name));
  if (found == types.end()) return std::nullopt;
  return found->second;
}

Type TypeOf(const Types& types, std::string_view name) {
  return DeclaredType(types, name).value_or(Type::kString);
}

Value DecodeValue(const Header& header, const Types& types) {
  if (header.null) return Value();
  if (const auto type = DeclaredType(types, header.name)) {
    auto value = Value::Parse(*type, header.value);
    if (value.ok()) return *std::move(value);
  }
  return IsUtf8(header.value) ? Value(header.value)
                              : Value::Binary(header.value);
}

template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || next != end) return std::nullopt;
  return value;
}

std::optional<absl::Time> Time(std::string_view text) {
  auto value = Value::Parse(Type::kTimestamp, text);
  if (!value.ok()) return std::nullopt;
  return value->AsTimestamp();
}

// True when `header` was one of the fields that are not text.
bool DecodeOther(std::string_view name, std::string_view text,
                 MessageFields* fields) {
  if (name == "group-sequence") {
    const auto n = Number<uint32_t>(text);
    if (!n) return false;
    fields->group_sequence = *n;
    fields->mark(Field::kGroupSequence);
  } else if (name == "priority") {
    const auto n = Number<uint8_t>(text);
    if (!n) return false;
    fields->priority = *n;
    fields->mark(Field::kPriority);
  } else if (name == "durable") {
    if (text != "true" && text != "false") return false;
    fields->durable = text == "true";
    fields->mark(Field::kDurable);
  } else if (name == "ttl") {
    const auto n = Number<int64_t>(text);
    if (!n || *n < 0) return false;
    fields->ttl = absl::Milliseconds(*n);
    fields->mark(Field::kTtl);
  } else if (name == "expires") {
    const auto t = Time(text);
    if (!t) return false;
    fields->expires = *t;
    fields->mark(Field::kExpires);
  } else if (name == "deliver-at") {
    const auto t = Time(text);
    if (!t) return false;
    fields->deliver_at = *t;
    fields->mark(Field::kDeliverAt);
  } else {
    return false;
  }
  return true;
}

// True when the header was a standard field, or one of the mapping's own.
bool DecodeField(const Header& header, const Types& types,
                 MessageFields* fields) {
  if (!IsReserved(header.name)) return false;
  if (header.name == kTypes || header.name == kBody) return true;
  if (header.null) return false;
  for (const TextField& f : kTextFields) {
    if (header.name != f.header) continue;
    // user_id and ids of type binary are bytes; the others are text.
    const bool bytes = f.field == Field::kUserId || f.field == Field::kId ||
                       f.field == Field::kCorrelationId;
    if (!bytes && !IsUtf8(header.value)) return false;
    fields->*f.text = std::string(header.value);
    fields->mark(f.field);
    if (f.field == Field::kId) {
      fields->id_type = TypeOf(types, kId);
    } else if (f.field == Field::kCorrelationId) {
      fields->correlation_id_type = TypeOf(types, kCorrelationId);
    }
    return true;
  }
  return DecodeOther(
      header.name.substr(std::min(kOwn.size(), header.name.size())),
      header.value, fields);
}

void DecodeProperty(const Header& header, const Types& types,
                    MessageFields* fields) {
  std::string_view name = header.name;
  Properties* list = &fields->properties;
  if (name.starts_with(kAnnotation)) {
    name.remove_prefix(kAnnotation.size());
    list = &fields->annotations;
  } else if (name.starts_with(kFooter)) {
    name.remove_prefix(kFooter.size());
    list = &fields->footer;
  } else if (IsReserved(name)) {
    if (name.starts_with(kEscaped) &&
        IsReserved(name.substr(kEscaped.size()))) {
      name.remove_prefix(kEscaped.size());
    }
    // Two headers may mean one property here.
    list->Set(name, DecodeValue(header, types));
    return;
  }
  list->Append(std::string(name), DecodeValue(header, types));
}

std::string_view NameOf(const Header& header) {
  return header.name.substr(0, kMaxHeaderName);
}

}  // namespace

void DecodeHeaders(std::span<const Header> headers, MessageFields* fields) {
  headers = headers.first(std::min(headers.size(), kMaxHeaders));
  const Types types = ParseTypes(headers);
  // Where each name came last; few headers are compared, many are hashed.
  std::unordered_map<std::string_view, size_t> last;
  const bool many = headers.size() > 16;
  if (many) {
    for (size_t i = 0; i < headers.size(); ++i) last[NameOf(headers[i])] = i;
  }
  const auto is_last = [&](size_t i) {
    if (many) return last[NameOf(headers[i])] == i;
    for (size_t j = i + 1; j < headers.size(); ++j) {
      if (NameOf(headers[j]) == NameOf(headers[i])) return false;
    }
    return true;
  };
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!is_last(i)) continue;
    Header header = headers[i];
    header.name = NameOf(header);
    if (!DecodeField(header, types, fields)) {
      DecodeProperty(header, types, fields);
    }
  }
}

BodyKind BodyKindOf(std::span<const Header> headers) {
  for (const Header& header : headers) {
    if (header.name != kBody) continue;
    if (header.value == "value") return BodyKind::kValue;
    if (header.value == "sequence") return BodyKind::kSequence;
  }
  return BodyKind::kData;
}

Value DecodeBody(std::span<const Header> headers, std::string_view body) {
  const Type type = TypeOf(ParseTypes(headers), kBody);
  switch (type) {
    case Type::kString:
      return Value(body);
    case Type::kSymbol:
      return Value::Symbol(body);
    case Type::kBinary:
      return Value::Binary(body);
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return Value::Composite(type, body);
    default: {
      auto value = Value::Parse(type, body);
      return value.ok() ? *std::move(value) : Value();
    }
  }
}

std::string EncodeBody(const Value& value) {
  switch (value.type()) {
    case Type::kString:
    case Type::kSymbol:
    case Type::kBinary:
    case Type::kList:
    case Type::kMap:
    case Type::kArray:
    case Type::kDescribed:
      return std::string(value.text());
    default:
      return value.ToText();
  }
}

bool IsDirect(const Properties& properties) {
  return std::all_of(properties.begin(), properties.end(),
                     [](const Property& p) {
                       return p.value.type() == Type::kString &&
                              !IsReserved(p.name) && IsUtf8(p.value.text());
                     });
}

bool IsDirect(const MessageFields& fields) {
  // What the record itself carries.
  constexpr uint32_t kOfRecord = 1u << static_cast<int>(Field::kCreated) |
                                 1u << static_cast<int>(Field::kPartition);
  return (fields.present & ~kOfRecord) == 0 && fields.annotations.empty() &&
         fields.footer.empty() && IsDirect(fields.properties);
}

void HeaderList::Clear() {
  text_.clear();
  types_.clear();
  entries_.clear();
}

Header HeaderList::at(size_t i) const {
  const Entry& e = entries_[i];
  const std::string_view text = text_;
  // The name ends in NUL, as the library wants it.
  return {text.substr(e.name, e.name_size), text.substr(e.value, e.value_size),
          e.null};
}

void HeaderList::Add(std::string_view prefix, std::string_view name,
                     std::string_view value, bool null) {
  Entry e{};
  e.name = text_.size();
  e.name_size = prefix.size() + name.size();
  text_.append(prefix).append(name).push_back('\0');
  e.value = text_.size();
  e.value_size = value.size();
  e.null = null;
  text_.append(value);
  entries_.push_back(e);
}

void HeaderList::AddType(std::string_view prefix, std::string_view name,
                         Type type) {
  if (!types_.empty()) types_.push_back(';');
  types_.append(prefix);
  for (const char c : name) {
    if (BreaksTypes(c)) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      types_.push_back('%');
      types_.push_back(kHex[byte >> 4]);
      types_.push_back(kHex[byte & 15]);
    } else {
      types_.push_back(c);
    }
  }
  types_.push_back('=');
  types_.append(TypeName(type));
}

void HeaderList::AddValue(std::string_view prefix, std::string_view name,
                          const Value& value) {
  if (value.is_null()) {
    Add(prefix, name, {}, true);
    return;
  }
  if (value.type() == Type::kString) {
    Add(prefix, name, value.text());
    // Text that is none would come back as binary.
    if (!IsUtf8(value.text())) AddType(prefix, name, Type::kString);
    return;
  }
  Add(prefix, name, value.ToText());
  AddType(prefix, name, value.type());
}

void HeaderList::Encode(const MessageFields& fields, BodyKind kind) {
  Clear();
  for (const TextField& f : kTextFields) {
    if (fields.has(f.field)) Add({}, f.header, fields.*f.text);
  }
  if (fields.has(Field::kId) && fields.id_type != Type::kString) {
    AddType({}, kId, fields.id_type);
  }
  if (fields.has(Field::kCorrelationId) &&
      fields.correlation_id_type != Type::kString) {
    AddType({}, kCorrelationId, fields.correlation_id_type);
  }
  const auto add = [&](Field field, std::string_view name, const auto& text) {
    if (fields.has(field)) Add(kOwn, name, text());
  };
  const auto time = [](absl::Time t) { return Value(t).ToText(); };
  add(Field::kGroupSequence, "group-sequence",
      [&] { return std::to_string(fields.group_sequence); });
  add(Field::kPriority, "priority",
      [&] { return std::to_string(fields.priority); });
  add(Field::kDurable, "durable",
      [&] { return std::string(fields.durable ? "true" : "false"); });
  add(Field::kTtl, "ttl",
      [&] { return std::to_string(absl::ToInt64Milliseconds(fields.ttl)); });
  add(Field::kExpires, "expires", [&] { return time(fields.expires); });
  add(Field::kDeliverAt, "deliver-at", [&] { return time(fields.deliver_at); });
  for (const Property& p : fields.properties) {
    AddValue(IsReserved(p.name) ? kEscaped : std::string_view(), p.name,
             p.value);
  }
  for (const Property& p : fields.annotations) {
    AddValue(kAnnotation, p.name, p.value);
  }
  for (const Property& p : fields.footer) AddValue(kFooter, p.name, p.value);
  if (kind == BodyKind::kValue || kind == BodyKind::kSequence) {
    Add({}, kBody, kind == BodyKind::kValue ? "value" : "sequence");
    AddType({}, kBody, fields.body_value.type());
  }
  if (!types_.empty()) Add({}, kTypes, types_);
}

}  // namespace kafka
}  // namespace tieline::inline v0
