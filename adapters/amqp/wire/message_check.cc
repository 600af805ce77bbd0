// Receiving: checks a whole message in one pass and finds what is needed of
// every message.
#include <array>
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
constexpr uint32_t kSubjectField = 3;
constexpr uint32_t kGroupIdField = 10;
constexpr uint32_t kPropertyFields = 13;
constexpr uint32_t kHeaderFields = 5;

// Which sections may follow: a bit each.
constexpr uint32_t kAtStart = (1u << kSectionCount) - 1;
constexpr std::array<uint32_t, kSectionCount> kMayFollow = {
    kAtStart & ~0x1u,
    kAtStart & ~0x3u,
    kAtStart & ~0x7u,
    kAtStart & ~0xfu,
    kAtStart & ~0x1fu,
    1u << kData | 1u << kFooter,
    1u << kSequence | 1u << kFooter,
    1u << kFooter,
    0,
};

class Scan {
 public:
  Scan(std::string_view encoded, std::string_view broker_subject,
       Preamble* seen)
      : encoded_(encoded), broker_subject_(broker_subject), seen_(seen) {}

  // False when the message is malformed; then status() says where.
  bool Run() {
    Cursor cursor(encoded_);
    uint32_t allowed = kAtStart;
    bool keeps = seen_ != nullptr && !PassSeen(&cursor, &allowed);
    while (!cursor.done()) {
      const char* const start = cursor.position();
      Section section;
      if (!ReadSectionHead(&cursor, &section)) {
        return Refuse(start, "", "no whole section");
      }
      if ((allowed & 1u << section) == 0) {
        return Refuse(start, "", "a section out of its order");
      }
      if (section >= kProperties && std::exchange(keeps, false)) {
        Keep(static_cast<size_t>(start - encoded_.data()), allowed);
      }
      allowed = kMayFollow[section];
      if (!Check(section, &cursor)) {
        return Refuse(start, "bad ", SectionName(section));
      }
    }
    return true;
  }

  absl::Status status() const {
    return InvalidArgument("malformed AMQP message: {}{} at byte {} of {}",
                           how_, what_, offset_, encoded_.size());
  }

  DeliveryFacts facts;
  BodyKind kind = BodyKind::kNull;
  uint32_t bodies = 0;    // body sections
  std::string_view data;  // of the first data section
  bool has_group_id = false;
  std::string_view group_id;
  bool has_broker_subject = false;

 private:
  bool Refuse(const char* at, std::string_view how, std::string_view what) {
    offset_ = static_cast<size_t>(at - encoded_.data());
    how_ = how;
    what_ = what;
    return false;
  }

  // True when the message begins as the last one did: passes over that.
  bool PassSeen(Cursor* cursor, uint32_t* allowed) {
    const std::string_view known(seen_->bytes.data(), seen_->size);
    if (known.empty() || !encoded_.starts_with(known)) return false;
    cursor->Raw(known.size());
    *allowed = seen_->may_follow;
    facts = seen_->facts;
    holds_value_ = seen_->holds_value;
    return true;
  }
  void Keep(size_t size, uint32_t allowed) {
    seen_->size = size <= Preamble::kMaxSize ? size : 0;
    encoded_.copy(seen_->bytes.data(), seen_->size);
    seen_->may_follow = allowed;
    seen_->facts = facts;
    seen_->holds_value = holds_value_;
  }

  bool Check(Section section, Cursor* cursor) {
    switch (section) {
      case kHeader:
        return CheckHeader(cursor);
      case kDeliveryAnnotations:
      case kFooter:
        return CheckMap(cursor, false);
      case kMessageAnnotations:
        return CheckMap(cursor, true);
      case kProperties:
        return CheckFields(cursor);
      case kApplicationProperties:
        return CheckProperties(cursor);
      case kData: {
        const std::string_view bytes = cursor->Binary();
        if (bodies++ == 0) data = bytes;
        kind = holds_value_ && bodies == 1 && IsWhole(bytes) ? BodyKind::kValue
                                                             : BodyKind::kData;
        return cursor->ok();
      }
      case kSequence:
        ++bodies;
        kind = BodyKind::kSequence;
        return IsList(cursor->Peek()) && CheckValue(cursor);
      case kValueSection:
        ++bodies;
        if (cursor->Peek() != kCodeNull) kind = BodyKind::kValue;
        return CheckValue(cursor);
    }
    return false;
  }

  static bool IsList(int code) {
    return code == kCodeList0 || code == kCodeList8 || code == kCodeList32;
  }

  bool CheckHeader(Cursor* cursor) {
    ListReader list(cursor);
    if (list.left() > kHeaderFields) return false;
    list.Bool(true);
    if (list.left() == 0) return list.done();
    facts.priority = list.UByte(4);
    list.UInt(0);
    facts.has_first_acquirer = list.Has();
    if (facts.has_first_acquirer) facts.first_acquirer = list.Bool(false);
    facts.delivery_count = list.UInt(0);
    return list.done();
  }

  // The properties section; finds group id and subject in passing.
  bool CheckFields(Cursor* cursor) {
    Cursor items;
    uint32_t count = 0;
    if (!cursor->List(&items, &count) || count > kPropertyFields) return false;
    for (uint32_t i = items.SkipNulls(count); i < count;
         i += 1 + items.SkipNulls(count - i - 1)) {
      const int code = items.Peek();
      const bool is_string = code == kCodeString8 || code == kCodeString32;
      if (i == kGroupIdField && is_string) {
        has_group_id = true;
        group_id = items.String();
      } else if (i == kSubjectField && is_string && !broker_subject_.empty()) {
        has_broker_subject = items.String() == broker_subject_;
      } else if (!CheckValue(&items)) {
        return false;
      }
    }
    return items.ok() && items.done();
  }

  // Names must be text.
  static bool CheckProperties(Cursor* cursor) {
    Cursor items;
    uint32_t count = 0;
    if (!EnterMap(cursor, &items, &count)) return false;
    std::string_view name;
    for (; count > 0; count -= 2) {
      if (!items.PlainText(&name)) {
        if (items.Peek() == kCodeSymbol32) {
          items.Symbol();
        } else {
          items.String();
        }
      }
      if (!CheckValue(&items)) return false;
    }
    return items.done();
  }

  // Annotations and footer: names of any type.
  bool CheckMap(Cursor* cursor, bool has_facts) {
    Cursor items;
    uint32_t count = 0;
    if (!EnterMap(cursor, &items, &count)) return false;
    for (; count > 0; count -= 2) {
      std::string_view name;
      const int code = items.Peek();
      if (code == kCodeSymbol8 || code == kCodeSymbol32) {
        name = items.Symbol();
      } else if (code == kCodeString8 || code == kCodeString32) {
        name = items.String();
      } else if (!CheckValue(&items)) {
        return false;
      }
      const Cursor at = items;
      if (!CheckValue(&items)) return false;
      if (has_facts) ReadFact(name, at);
    }
    return items.done();
  }

  static bool EnterMap(Cursor* cursor, Cursor* items, uint32_t* count) {
    return cursor->Map(items, count) && *count <= 2 * kMaxEntries;
  }

  void ReadFact(std::string_view name, Cursor value) {
    if (name == kBodyName) holds_value_ = true;
    if (name != kSequenceNumber && name != kLockedUntil) return;
    Value v;
    if (!ReadValue(&value, &v)) return;
    if (name == kSequenceNumber && v.AsInt64()) {
      facts.sequence_number = *v.AsInt64();
    } else if (name == kLockedUntil && v.type() == Type::kTimestamp) {
      facts.locked_until_ms = v.signed_bits();
    }
  }

  static bool IsWhole(std::string_view bytes) {
    Cursor cursor(bytes);
    return CheckValue(&cursor) && cursor.done();
  }

  const std::string_view encoded_;
  const std::string_view broker_subject_;
  Preamble* const seen_;
  bool holds_value_ = false;  // the data section does: kBodyName
  size_t offset_ = 0;
  std::string_view how_;
  std::string_view what_;
};

// The bytes of all data sections.
std::string JoinData(std::string_view encoded) {
  std::string joined;
  Cursor cursor(encoded);
  Section section;
  while (!cursor.done() && ReadSectionHead(&cursor, &section)) {
    if (section == kData) {
      joined += cursor.Binary();
    } else {
      cursor.Skip();
    }
  }
  return joined;
}

// For a body or key that is not in the encoded bytes as such: puts these, the
// body and the key into one buffer, and makes `parts` point there.
void Rehouse(std::string_view body, std::string_view key,
             driver::NativeParts* parts) {
  const size_t size = parts->native.encoded.size();
  std::string whole(parts->native.encoded.view());
  whole += body;
  whole += key;
  const Bytes bytes = Bytes::Take(std::move(whole));
  parts->body = bytes.view().substr(size, body.size());
  parts->key = bytes.view().substr(size + body.size());
  parts->native.encoded = bytes.Slice(0, size);
}

void RehouseIfNeeded(const Scan& scan, driver::NativeParts* parts) {
  std::string key;
  const bool escaped = parts->key.starts_with(kEncodedKeyPrefix) &&
                       DecodeGroupId(parts->key, &key);
  const bool split = scan.bodies > 1 && scan.kind == BodyKind::kData;
  if (!escaped && !split) return;
  if (!escaped) key = std::string(parts->key);
  const std::string body =
      split ? JoinData(parts->native.encoded.view()) : std::string(parts->body);
  Rehouse(body, key, parts);
}

}  // namespace

absl::Status CheckMessage(std::string_view encoded) {
  Scan scan(encoded, {}, nullptr);
  return scan.Run() ? absl::OkStatus() : scan.status();
}

absl::StatusOr<Message> DecodeMessage(Bytes encoded, DeliveryFacts* facts,
                                      std::string_view broker_subject,
                                      Preamble* seen) {
  Scan scan(encoded.view(), broker_subject, seen);
  if (!scan.Run()) return scan.status();
  if (facts != nullptr) *facts = scan.facts;
  driver::NativeParts parts;
  parts.source = scan.has_broker_subject ? SourceWithoutSubject() : Source();
  parts.native.encoded = std::move(encoded);
  parts.body_kind = scan.kind;
  if (scan.kind == BodyKind::kData) parts.body = scan.data;
  parts.has_key = scan.has_group_id;
  parts.key = scan.group_id;
  if (scan.bodies > 1 || parts.key.size() > kEncodedKeyPrefix.size()) {
    RehouseIfNeeded(scan, &parts);
  }
  return driver::MakeMessage(std::move(parts));
}

}  // namespace tieline::inline v0::amqp::wire
