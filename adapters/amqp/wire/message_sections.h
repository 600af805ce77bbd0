// The sections of an encoded message (AMQP 1.0 part 3, section 3.2), found by
// their outer lengths alone.
//
// Threads: plain values.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_

#include <array>
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

// The descriptor, of kDescriptorSize bytes.
inline char* PutSectionHead(char* p, Section section) {
  return PutDescriptor(p, static_cast<uint8_t>(kSectionBase + section));
}
inline void BeginSection(Section section, Writer* writer) {
  writer->SetEnd(PutSectionHead(writer->Room(kDescriptorSize), section));
}

// "application-properties", ...
std::string_view SectionName(Section section);

struct Sections {
  // The value of each section, without its descriptor; empty: there is none.
  // Of several data or sequence sections, the first.
  std::array<std::string_view, kSectionCount> value;
  // From the message annotations on: what every hop passes on unchanged.
  std::string_view bare;
  // All body sections, descriptors included.
  std::string_view body;
  uint32_t body_sections = 0;

  std::string_view operator[](Section s) const { return value[s]; }
};

// Passes over one section: its number and its value. False, with the cursor
// failed, when it is none.
bool NextSection(Cursor* cursor, Section* section, std::string_view* value);

// Finds all sections; values are not looked into. On failure false, and `error`
// (may be null) says what is wrong.
struct SplitError {
  size_t offset = 0;
  std::string_view what;
};
bool SplitSections(std::string_view encoded, Sections* sections,
                   SplitError* error);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_SECTIONS_H_
