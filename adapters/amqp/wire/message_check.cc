// Receiving: checks a whole message in one scan and finds what is needed of
// every message.
#include <string>
#include <utility>

#include "adapters/amqp/wire/field_names.h"
#include "adapters/amqp/wire/group_id.h"
#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/message_sections.h"
#include "adapters/amqp/wire/value_codec.h"
#include "lib/base/status.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr uint32_t kMaxEntries = 65535;
constexpr uint32_t kGroupIdField = 10;
constexpr uint32_t kPropertyFields = 13;
constexpr uint32_t kHeaderFields = 5;

bool CheckHeader(std::string_view value, DeliveryFacts* facts) {
  Cursor cursor(value);
  ListReader list(&cursor);
  if (list.left() > kHeaderFields) return false;
  list.Bool(true);
  facts->priority = list.UByte(4);
  list.UInt(0);
  facts->has_first_acquirer = list.Has();
  if (facts->has_first_acquirer) facts->first_acquirer = list.Bool(false);
  facts->delivery_count = list.UInt(0);
  return list.ok();
}

void ReadFact(std::string_view name, Cursor value, DeliveryFacts* facts) {
  if (name != kSequenceNumber && name != kLockedUntil) return;
  Value v;
  if (!ReadValue(&value, &v)) return;
  if (name == kSequenceNumber && v.AsInt64()) {
    facts->sequence_number = *v.AsInt64();
  } else if (name == kLockedUntil && v.type() == Type::kTimestamp) {
    facts->locked_until_ms = v.signed_bits();
  }
}

// Annotations and footer: any map. `facts` may be null.
bool CheckMap(std::string_view value, DeliveryFacts* facts) {
  Cursor cursor(value);
  Cursor items;
  uint32_t count = 0;
  if (!cursor.Map(&items, &count) || count > 2 * kMaxEntries) return false;
  for (; count > 0; count -= 2) {
    std::string_view name;
    if (items.Peek() == kCodeSymbol8) {
      name = items.Symbol();
    } else if (!CheckValue(&items)) {
      return false;
    }
    const Cursor at = items;
    if (!CheckValue(&items)) return false;
    if (facts != nullptr && !name.empty()) ReadFact(name, at, facts);
  }
  return items.ok() && items.done();
}

// Names must be text.
bool CheckProperties(std::string_view value) {
  Cursor cursor(value);
  Cursor items;
  uint32_t count = 0;
  if (!cursor.Map(&items, &count) || count > 2 * kMaxEntries) return false;
  for (; count > 0; count -= 2) {
    if (items.Peek() == kCodeSymbol8 || items.Peek() == kCodeSymbol32) {
      items.Symbol();
    } else {
      items.String();
    }
    if (!CheckValue(&items)) return false;
  }
  return items.done();
}

// The properties section; finds the group id in passing.
bool CheckFields(std::string_view value, bool* has_group_id,
                 std::string_view* group_id) {
  Cursor cursor(value);
  Cursor items;
  uint32_t count = 0;
  if (!cursor.List(&items, &count) || count > kPropertyFields) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (items.SkipNull()) continue;
    if (i == kGroupIdField &&
        (items.Peek() == kCodeString8 || items.Peek() == kCodeString32)) {
      *has_group_id = true;
      *group_id = items.String();
    } else if (!CheckValue(&items)) {
      return false;
    }
  }
  return items.ok() && items.done();
}

bool CheckWhole(std::string_view value) {
  Cursor cursor(value);
  return CheckValue(&cursor) && cursor.done();
}

// What a scan finds.
struct Scanned {
  Sections sections;
  DeliveryFacts facts;
  bool has_group_id = false;
  std::string_view group_id;
};

// The second and later data or sequence sections.
bool CheckMoreBodies(const Sections& sections) {
  if (sections.body_sections < 2 || sections[kSequence].empty()) return true;
  Cursor cursor(sections.body);
  while (!cursor.done()) {
    Section section;
    std::string_view value;
    if (!NextSection(&cursor, &section, &value) || !CheckWhole(value)) {
      return false;
    }
  }
  return true;
}

bool CheckSection(Section section, std::string_view value, Scanned* scanned) {
  switch (section) {
    case kHeader:
      return CheckHeader(value, &scanned->facts);
    case kMessageAnnotations:
      return CheckMap(value, &scanned->facts);
    case kProperties:
      return CheckFields(value, &scanned->has_group_id, &scanned->group_id);
    case kApplicationProperties:
      return CheckProperties(value);
    case kData:
      return true;  // its length is all there is
    case kDeliveryAnnotations:
    case kFooter:
      return CheckMap(value, nullptr);
    case kSequence:
    case kValueSection:
      return CheckWhole(value);
  }
  return false;
}

absl::Status Scan(std::string_view encoded, Scanned* scanned) {
  SplitError error;
  if (!SplitSections(encoded, &scanned->sections, &error)) {
    return InvalidArgument("malformed AMQP message: {} at byte {} of {}",
                           error.what, error.offset, encoded.size());
  }
  for (int i = 0; i < kSectionCount; ++i) {
    const auto section = static_cast<Section>(i);
    const std::string_view value = scanned->sections[section];
    if (value.empty() || CheckSection(section, value, scanned)) continue;
    return InvalidArgument("malformed AMQP message: bad {} at byte {} of {}",
                           SectionName(section), value.data() - encoded.data(),
                           encoded.size());
  }
  if (!CheckMoreBodies(scanned->sections)) {
    return InvalidArgument("malformed AMQP message: bad {} in its body",
                           SectionName(kSequence));
  }
  return absl::OkStatus();
}

std::string_view DataOf(std::string_view value) {
  return value.substr(value[0] == static_cast<char>(kCodeBinary8) ? 2 : 5);
}

// Puts `encoded` and what is not in it as such, joined data and decoded key,
// into one buffer, and makes `parts` point there.
void Rehouse(const Sections& sections, std::string_view key,
             driver::NativeParts* parts) {
  const Bytes& encoded = parts->native.encoded;
  std::string whole(encoded.view());
  const bool joins = sections.body_sections > 1 && !sections[kData].empty();
  if (joins) {
    Cursor cursor(sections.body);
    while (!cursor.done()) {
      Section section;
      std::string_view value;
      if (!NextSection(&cursor, &section, &value)) break;
      whole += DataOf(value);
    }
  }
  const size_t size = encoded.size();
  const size_t body_at =
      joins || parts->body.empty()
          ? size
          : static_cast<size_t>(parts->body.data() - encoded.data());
  const size_t body_size = joins ? whole.size() - size : parts->body.size();
  const bool moves_key = !key.empty();
  const size_t key_at =
      moves_key || parts->key.empty()
          ? whole.size()
          : static_cast<size_t>(parts->key.data() - encoded.data());
  const size_t key_size = moves_key ? key.size() : parts->key.size();
  whole += key;
  const Bytes bytes = Bytes::Take(std::move(whole));
  parts->body = bytes.view().substr(body_at, body_size);
  parts->key = bytes.view().substr(key_at, key_size);
  parts->native.encoded = bytes.Slice(0, size);
}

}  // namespace

absl::Status CheckMessage(std::string_view encoded) {
  Scanned scanned;
  return Scan(encoded, &scanned);
}

absl::StatusOr<Message> DecodeMessage(Bytes encoded, DeliveryFacts* facts) {
  Scanned scanned;
  absl::Status status = Scan(encoded.view(), &scanned);
  if (!status.ok()) return status;
  if (facts != nullptr) *facts = scanned.facts;
  const Sections& sections = scanned.sections;

  driver::NativeParts parts;
  parts.source = Source();
  parts.native.encoded = std::move(encoded);
  parts.has_key = scanned.has_group_id;
  parts.key = scanned.group_id;
  if (const std::string_view data = sections[kData]; !data.empty()) {
    parts.body_kind = BodyKind::kData;
    parts.body = DataOf(data);
  } else if (!sections[kSequence].empty()) {
    parts.body_kind = BodyKind::kSequence;
  } else if (const std::string_view value = sections[kValueSection];
             !value.empty() && value[0] != kCodeNull) {
    parts.body_kind = BodyKind::kValue;
  } else {
    parts.body_kind = BodyKind::kNull;
  }
  std::string key;
  const bool escaped = parts.key.starts_with(kEncodedKeyPrefix) &&
                       DecodeGroupId(parts.key, &key);
  const bool split =
      parts.body_kind == BodyKind::kData && sections.body_sections > 1;
  if (escaped || split) Rehouse(sections, key, &parts);
  return driver::MakeMessage(std::move(parts));
}

}  // namespace tieline::inline v0::amqp::wire
