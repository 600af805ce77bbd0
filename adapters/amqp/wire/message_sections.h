// The sections of an encoded message (AMQP 1.0 part 3, section 3.2).
//
// Threads: stateless.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapters/amqp/wire/cursor.h"
#include "adapters/amqp/wire/writer.h"

namespace tieline::inline v0::amqp::wire {

// In the order in which they must come. The descriptor of a section is
// kSectionBase plus its number.
enum Section : uint8_t {
  kHeader,
  kDeliveryAnnotations,
  kMessageAnnotations,
  kProperties,
  kApplicationProperties,
  kData,
  kSequence,
  kValueSection,
  kFooter,
};
inline constexpr int kSectionCount = 9;
inline constexpr uint8_t kSectionBase = 0x70;

// "application-properties", ...
std::string_view SectionName(Section section);

// A descriptor in another form than the usual three bytes: a wide number, or a
// symbol.
bool ReadLongSectionHead(Cursor* cursor, Section* section);

// Passes over a section's descriptor: its value comes next. False, with the
// cursor failed, when it is none.
inline bool ReadSectionHead(Cursor* cursor, Section* section) {
  const char* p = cursor->position();
  if (cursor->left() <= kDescriptorSize || p[0] != kCodeDescribed ||
      p[1] != kCodeSmallULong) {
    return ReadLongSectionHead(cursor, section);
  }
  const auto number =
      static_cast<uint8_t>(static_cast<uint8_t>(p[2]) - kSectionBase);
  if (number >= kSectionCount) return cursor->Fail();
  cursor->Raw(kDescriptorSize);
  *section = static_cast<Section>(number);
  return true;
}

// The descriptor, of kDescriptorSize bytes.
inline char* PutSectionHead(char* p, Section section) {
  return PutDescriptor(p, static_cast<uint8_t>(kSectionBase + section));
}
inline void BeginSection(Section section, Writer* writer) {
  writer->SetEnd(PutSectionHead(writer->Room(kDescriptorSize), section));
}

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_
