#include "adapters/amqp/wire/message_header.h"

#include <algorithm>
#include <limits>

#include "adapters/amqp/wire/message_sections.h"

namespace tieline::inline v0::amqp::wire {

void WriteHeader(const Header& header, const EncodeOptions& options,
                 Writer* writer) {
  constexpr size_t kMax = kDescriptorSize + 3 + 1 + 2 + 5 + 1 + 5;
  const bool has_count =
      options.delivery_count != 0 || options.always_delivery_count;
  char* p = PutSectionHead(writer->Room(kMax), kHeader);
  char* const list = p;
  p = PutBool(p + 3, header.durable);
  uint8_t count = 1;
  if (header.has_priority || header.has_ttl || has_count) {
    p = header.has_priority ? PutUByte(p, header.priority) : PutNull(p);
    count = 2;
  }
  if (header.has_ttl || has_count) {
    p = header.has_ttl ? PutUInt(p, header.ttl_ms) : PutNull(p);
    count = 3;
  }
  if (has_count) {
    p = PutUInt(PutNull(p), options.delivery_count);
    count = 5;
  }
  PutByte(
      PutByte(PutByte(list, kCodeList8), static_cast<uint8_t>(p - list - 2)),
      count);
  writer->SetEnd(p);
}

Header HeaderOf(const MessageFields& fields) {
  Header header;
  header.durable = fields.durable;
  header.has_priority = fields.has(Field::kPriority);
  header.priority = fields.priority;
  if (fields.has(Field::kTtl) && fields.ttl != absl::InfiniteDuration()) {
    header.has_ttl = true;
    const int64_t ms = absl::ToInt64Milliseconds(fields.ttl);
    header.ttl_ms = static_cast<uint32_t>(
        std::clamp<int64_t>(ms, 0, std::numeric_limits<uint32_t>::max()));
  }
  return header;
}

Header ReadHeader(Cursor* cursor) {
  Header header;
  ListReader list(cursor);
  header.durable = list.Bool(true);
  header.has_priority = list.Has();
  if (header.has_priority) header.priority = list.UByte(4);
  header.has_ttl = list.Has();
  if (header.has_ttl) header.ttl_ms = list.UInt(0);
  return header;
}

}  // namespace tieline::inline v0::amqp::wire
