#include "lib/engine/inbox_id.h"

#include <cstddef>

#include "lib/base/digest.h"
#include "lib/store/batch.h"
#include "tieline/value.h"

namespace tieline::inline v0 {
namespace {

// How the kinds of ids begin.
constexpr char kOwn = 'i';
constexpr char kPlace = 'p';
constexpr char kLong = 'h';

void AppendName(std::string_view name, std::string* out) {
  for (const char c : name) {
    if (c == '/') {
      *out += "%2F";
    } else if (c == '%') {
      *out += "%25";
    } else {
      *out += c;
    }
  }
}

void AppendPlace(const SourcePlace& place, std::string* out) {
  AppendName(place.broker, out);
  *out += '/';
  AppendName(place.entity, out);
  *out += '/';
  *out += std::to_string(place.lane);
  *out += '/';
  *out += std::to_string(place.position);
}

void AppendNumber(uint64_t number, std::string* out) {
  for (int shift = 0; shift < 64; shift += 8) {
    *out += static_cast<char>(number >> shift);
  }
}

// One that is too long goes by its length, two digests and how it begins.
void Shorten(std::string* id) {
  if (id->size() <= StoreBatch::kMaxId) return;
  constexpr size_t kNumbers = 1 + 3 * sizeof(uint64_t);
  std::string shorter(1, kLong);
  AppendNumber(id->size(), &shorter);
  AppendNumber(Digest64(*id, 1), &shorter);
  AppendNumber(Digest64(*id, 2), &shorter);
  shorter.append(*id, 0, StoreBatch::kMaxId - kNumbers);
  *id = std::move(shorter);
}

}  // namespace

std::string IdOfPlace(const SourcePlace& place) {
  std::string id;
  if (place.position >= 0) AppendPlace(place, &id);
  return id;
}

bool InboxIdOf(const Message& message, bool unique, const SourcePlace& place,
               std::string* id) {
  id->clear();
  if (unique && message.has(Field::kId)) {
    *id += kOwn;
    *id += static_cast<char>(message.id_type());
    *id += message.id();
  } else if (place.position >= 0) {
    *id += kPlace;
    AppendPlace(place, id);
  } else {
    return false;
  }
  Shorten(id);
  return true;
}

uint64_t BodyDigest(const Message& message) {
  const BodyKind kind = message.body_kind();
  const auto seed = static_cast<uint64_t>(kind);
  if (kind != BodyKind::kValue && kind != BodyKind::kSequence) {
    return Digest64(message.body_view(), seed);
  }
  const Value& value = message.body_value();
  return Digest64(value.ToText(),
                  seed + (static_cast<uint64_t>(value.type()) << 8));
}

}  // namespace tieline::inline v0
