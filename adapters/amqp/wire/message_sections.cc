#include "adapters/amqp/wire/message_sections.h"

#include <array>

namespace tieline::inline v0::amqp::wire {
namespace {

struct Names {
  std::string_view name;
  std::string_view symbol;  // the descriptor, where it is a symbol
};

constexpr std::array<Names, kSectionCount> kNames = {{
    {"header", "amqp:header:list"},
    {"delivery-annotations", "amqp:delivery-annotations:map"},
    {"message-annotations", "amqp:message-annotations:map"},
    {"properties", "amqp:properties:list"},
    {"application-properties", "amqp:application-properties:map"},
    {"data", "amqp:data:binary"},
    {"amqp-sequence", "amqp:amqp-sequence:list"},
    {"amqp-value", "amqp:amqp-value:*"},
    {"footer", "amqp:footer:map"},
}};

}  // namespace

std::string_view SectionName(Section section) { return kNames[section].name; }

bool ReadLongSectionHead(Cursor* cursor, Section* section) {
  if (cursor->Peek() != kCodeDescribed) return cursor->Fail();
  cursor->Raw(1);
  if (cursor->Peek() == kCodeSymbol8 || cursor->Peek() == kCodeSymbol32) {
    const std::string_view symbol = cursor->Symbol();
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (symbol == kNames[i].symbol) {
        *section = static_cast<Section>(i);
        return true;
      }
    }
    return cursor->Fail();
  }
  const uint64_t code = cursor->ULong();
  if (code < kSectionBase || code >= kSectionBase + kSectionCount) {
    return cursor->Fail();
  }
  *section = static_cast<Section>(code - kSectionBase);
  return true;
}

}  // namespace tieline::inline v0::amqp::wire
