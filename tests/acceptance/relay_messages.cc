#include "tests/acceptance/relay_messages.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

namespace tieline::relay_check {
namespace {

// SplitMix64: a number that looks random, from a number.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::string Bytes(uint64_t seed, size_t size) {
  std::string bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) {
    seed = Mix(seed);
    for (int shift = 0; shift < 64; shift += 8) {
      bytes += static_cast<char>(seed >> shift);
    }
  }
  bytes.resize(size);
  return bytes;
}

std::string KeyOf(uint64_t k) {
  // Most are text; some are bytes that are no text.
  if (k % 29 == 7) return fmt::format("\xff\xfe{}", k) + std::string(1, '\0');
  if (k % 29 == 11) return fmt::format("caf\xc3\xa9-{}", k);
  return fmt::format("charger-{:05}", k);
}

std::array<uint8_t, 16> Raw(uint64_t seed) {
  std::array<uint8_t, 16> raw{};
  for (size_t i = 0; i < raw.size(); ++i) {
    raw[i] = static_cast<uint8_t>(Mix(seed + i));
  }
  return raw;
}

std::string_view Literal(const char* bytes, size_t size) {
  return {bytes, size};
}

using NamedValue = std::pair<std::string, Value>;

// One of each type, and the limits of the numeric ones.
std::vector<NamedValue> EveryValue(uint64_t i) {
  using Limits = std::numeric_limits<int64_t>;
  std::vector<NamedValue> v;
  v.emplace_back("null", Value());
  v.emplace_back("boolean", Value(i % 2 == 0));
  v.emplace_back("ubyte", Value::Unsigned(Type::kUByte, i % 256));
  v.emplace_back("ushort", Value::Unsigned(Type::kUShort, i % 65536));
  v.emplace_back("uint", Value(static_cast<uint32_t>(Mix(i))));
  v.emplace_back("ulong", Value(Mix(i)));
  v.emplace_back("ulong max", Value(std::numeric_limits<uint64_t>::max()));
  v.emplace_back("byte", Value::Signed(Type::kByte, static_cast<int8_t>(i)));
  v.emplace_back("short", Value::Signed(Type::kShort, static_cast<int16_t>(i)));
  v.emplace_back("int", Value(static_cast<int32_t>(Mix(i))));
  v.emplace_back("long", Value(static_cast<int64_t>(Mix(i))));
  v.emplace_back("long min", Value(Limits::min()));
  v.emplace_back("float", Value(static_cast<float>(i) / 3));
  v.emplace_back("double", Value(static_cast<double>(i) / 3));
  v.emplace_back("double infinite",
                 Value(std::numeric_limits<double>::infinity()));
  v.emplace_back("decimal32", Value::Decimal(Type::kDecimal32, Raw(i)));
  v.emplace_back("decimal64", Value::Decimal(Type::kDecimal64, Raw(i)));
  v.emplace_back("decimal128", Value::Decimal(Type::kDecimal128, Raw(i)));
  v.emplace_back("char", Value::Unsigned(Type::kChar, 0x1f600 + i % 64));
  v.emplace_back("timestamp", Value::TimestampMillis(1700000000000 +
                                                     static_cast<int64_t>(i)));
  v.emplace_back("timestamp before 1970", Value::TimestampMillis(-1));
  v.emplace_back("uuid", Value(Raw(i)));
  v.emplace_back("binary", Value::Binary(Bytes(i, i % 40)));
  v.emplace_back("string", Value(fmt::format("text \xe2\x82\xac {}", i)));
  v.emplace_back("string empty", Value(""));
  v.emplace_back("string long", Value(std::string(300 + i % 100, 'x')));
  v.emplace_back("symbol", Value::Symbol(fmt::format("symbol-{}", i)));
  v.emplace_back("list", Value::Composite(Type::kList,
                                          Literal("\xc0\x03\x02\x40\x41", 5)));
  v.emplace_back("map",
                 Value::Composite(Type::kMap,
                                  Literal("\xc1\x06\x02\xa1\x01k\x54\x01", 8)));
  v.emplace_back("array",
                 Value::Composite(Type::kArray,
                                  Literal("\xe0\x05\x03\x50\x01\x02\x03", 7)));
  v.emplace_back("described",
                 Value::Composite(Type::kDescribed, Literal("\x00\xa3\x03"
                                                            "foo\x54\x07",
                                                            8)));
  return v;
}

void SetBody(const Plan& plan, uint64_t i, Message* m) {
  const uint64_t random = Mix(plan.seed * 1000003 + i);
  if (i % 97 == 3) {
    const auto values = EveryValue(i);
    m->set_value_body(values[1 + random % (values.size() - 1)].second);
  } else if (i % 101 == 5) {
    m->set_null_body();
  } else if (i % 103 == 7) {
    m->set_sequence_body(
        Value::Composite(Type::kList, Literal("\xc0\x03\x02\x40\x41", 5)));
  } else if (i % 89 == 11) {
    m->set_body("");
  } else {
    size_t size = 100;
    if (i % 50 == 13) size = random % 1024;
    if (plan.large_bodies && i % 4001 == 17) size = random % (200 << 10);
    m->set_body(Bytes(random, size));
  }
}

void SetFields(const Plan& plan, uint64_t i, Message* m) {
  const int64_t ms = 1700000000000 + static_cast<int64_t>(i);
  m->set_correlation_id(fmt::format("c-{}", i));
  if (i % 3 == 0) m->set_subject("order.created");
  if (i % 3 == 1) m->set_content_type("application/json");
  if (i % 5 == 0) m->set_content_encoding("gzip");
  if (i % 7 == 0) m->set_to("somewhere/else");
  if (i % 7 == 1) m->set_reply_to("replies");
  if (i % 7 == 2) m->set_reply_to_key("reply-key");
  if (plan.user_ids && i % 7 == 3) m->set_user_id("user");
  if (i % 7 == 4) m->set_group_sequence(static_cast<uint32_t>(i));
  if (i % 11 == 0) m->set_ttl(absl::Hours(24) + absl::Milliseconds(i % 1000));
  if (i % 11 == 1) m->set_created(absl::FromUnixMillis(ms));
  if (i % 11 == 2) m->set_expires(absl::FromUnixMillis(ms + 800000000000));
  if (i % 59 == 4) m->set_deliver_at(absl::FromUnixMillis(ms));
  if (i % 59 == 5) m->set_priority(static_cast<uint8_t>(i % 10));
  if (i % 13 == 0) {
    m->set_annotation("x-opt-note", Value(static_cast<int64_t>(i)));
  }
  if (i % 13 == 1) m->mutable_footer().Set("crc", Value(uint32_t{7}));
  switch (i % 17) {
    case 0:
      m->set_correlation_id(fmt::format("{}", Mix(i)), Type::kULong);
      break;
    case 1:
      m->set_correlation_id(Value(Raw(i)).ToText(), Type::kUuid);
      break;
    case 2:
      m->set_correlation_id(Bytes(i, 9), Type::kBinary);
      break;
    default:
      break;
  }
}

// Collects what was compared, and what of it differs.
class Comparer {
 public:
  explicit Comparer(Comparison* result) : result_(result) {}

  void Add(std::string_view what, bool there, bool same) {
    result_->compared.emplace_back(what);
    if (!there) {
      result_->lost.emplace_back(what);
    } else if (!same) {
      result_->changed.emplace_back(what);
    }
  }
  // One of the standard fields, if it was sent.
  template <typename T>
  void AddField(std::string_view what, Field field, const Message& sent,
                const Message& got, T (Message::*get)() const) {
    if (!sent.has(field)) return;
    Add(what, got.has(field), (sent.*get)() == (got.*get)());
  }
  void AddAll(std::string_view prefix, const Properties& sent,
              const Properties& got) {
    for (const Property& p : sent) {
      const Value* value = got.Find(p.name);
      Add(fmt::format("{}{}", prefix, p.name), value != nullptr,
          value != nullptr && *value == p.value);
    }
  }

 private:
  Comparison* const result_;
};

std::string_view BodyName(BodyKind kind) {
  switch (kind) {
    case BodyKind::kNull:
      return "null body";
    case BodyKind::kData:
      return "data body";
    case BodyKind::kValue:
      return "value body";
    case BodyKind::kSequence:
      return "sequence body";
  }
  return "body";
}

}  // namespace

Message MakeMessage(const Plan& plan, uint64_t i) {
  Message m;
  SetBody(plan, i, &m);
  m.set_id(fmt::format("m-{}", i));
  m.set_key(KeyOf(i % plan.keys));
  SetFields(plan, i, &m);
  m.set_property("seq", Value(static_cast<int64_t>(i / plan.keys)));
  m.set_property("type", Value("order.created"));
  const std::vector<NamedValue> values = EveryValue(i);
  if (i % 53 == 0) {
    for (const NamedValue& v : values) m.set_property(v.first, v.second);
  } else {
    // Two types a message, so that all come in turn.
    for (const uint64_t n : {i, i + 7}) {
      const NamedValue& v = values[n % values.size()];
      m.set_property(v.first, v.second);
    }
  }
  return m;
}

bool KeepsOrder(const Message& sent) {
  return !sent.has(Field::kDeliverAt) && !sent.has(Field::kPriority);
}

std::optional<uint64_t> NumberOf(const Message& message) {
  const std::string_view id = message.id();
  uint64_t number = 0;
  if (!id.starts_with("m-")) return std::nullopt;
  const char* const end = id.data() + id.size();
  const auto [at, error] = std::from_chars(id.data() + 2, end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

Comparison Compare(const Message& sent, const Message& got) {
  Comparison result;
  Comparer c(&result);
  c.Add(BodyName(sent.body_kind()),
        sent.body_kind() == got.body_kind() || !got.body_view().empty(),
        sent.body_kind() == got.body_kind() &&
            (sent.body_kind() != BodyKind::kData ||
             sent.body_view() == got.body_view()) &&
            sent.body_value() == got.body_value());
  const auto field = [&](std::string_view what, Field f, auto get) {
    c.AddField(what, f, sent, got, get);
  };
  field("id", Field::kId, &Message::id);
  field("key", Field::kKey, &Message::key);
  c.Add(
      fmt::format("correlation id ({})", TypeName(sent.correlation_id_type())),
      got.has(Field::kCorrelationId),
      sent.correlation_id() == got.correlation_id() &&
          sent.correlation_id_type() == got.correlation_id_type());
  field("subject", Field::kSubject, &Message::subject);
  field("content type", Field::kContentType, &Message::content_type);
  field("content encoding", Field::kContentEncoding,
        &Message::content_encoding);
  field("to", Field::kTo, &Message::to);
  field("reply-to", Field::kReplyTo, &Message::reply_to);
  field("reply-to key", Field::kReplyToKey, &Message::reply_to_key);
  field("user id", Field::kUserId, &Message::user_id);
  field("group sequence", Field::kGroupSequence, &Message::group_sequence);
  field("ttl", Field::kTtl, &Message::ttl);
  field("created", Field::kCreated, &Message::created);
  field("expires", Field::kExpires, &Message::expires);
  field("deliver at", Field::kDeliverAt, &Message::deliver_at);
  field("priority", Field::kPriority, &Message::priority);
  c.AddAll("property ", sent.properties(), got.properties());
  c.AddAll("annotation ", sent.annotations(), got.annotations());
  c.AddAll("footer ", sent.footer(), got.footer());
  return result;
}

}  // namespace tieline::relay_check
