#include "adapters/amqp/wire/message_sections.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr std::array<std::string_view, kSectionCount> kNames = {
    "header",
    "delivery-annotations",
    "message-annotations",
    "properties",
    "application-properties",
    "data",
    "amqp-sequence",
    "amqp-value",
    "footer",
};

// Descriptors may be symbols too.
constexpr std::array<std::string_view, kSectionCount> kSymbols = {
    "amqp:header:list",
    "amqp:delivery-annotations:map",
    "amqp:message-annotations:map",
    "amqp:properties:list",
    "amqp:application-properties:map",
    "amqp:data:binary",
    "amqp:amqp-sequence:list",
    "amqp:amqp-value:*",
    "amqp:footer:map",
};

// A descriptor in another form than the usual three bytes.
bool ReadLongDescriptor(Cursor* cursor, Section* section) {
  if (cursor->Peek() != kCodeDescribed) return cursor->Fail();
  cursor->Raw(1);
  if (cursor->Peek() == kCodeSymbol8 || cursor->Peek() == kCodeSymbol32) {
    const std::string_view symbol = cursor->Symbol();
    for (size_t i = 0; i < kSymbols.size(); ++i) {
      if (symbol == kSymbols[i]) {
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

bool IsBody(int section) { return section >= kData && section < kFooter; }

// May `next` follow `last` (-1 at the start)?
bool MayFollow(int last, Section next) {
  if (IsBody(last) && IsBody(next)) {
    return next == last && next != kValueSection;
  }
  return next > last;
}

// A section's value must be of this constructor's family.
bool IsOfItsType(Section section, std::string_view value) {
  const auto code = static_cast<uint8_t>(value[0]);
  switch (section) {
    case kHeader:
    case kProperties:
    case kSequence:
      return code == kCodeList0 || code == kCodeList8 || code == kCodeList32;
    case kData:
      return code == kCodeBinary8 || code == kCodeBinary32;
    case kValueSection:
      return true;
    default:
      return code == kCodeMap8 || code == kCodeMap32;
  }
}

}  // namespace

std::string_view SectionName(Section section) { return kNames[section]; }

bool NextSection(Cursor* cursor, Section* section, std::string_view* value) {
  const char* p = cursor->position();
  if (cursor->left() > 3 && p[0] == kCodeDescribed && p[1] == kCodeSmallULong) {
    const int number = static_cast<uint8_t>(p[2]) - kSectionBase;
    if (number < 0 || number >= kSectionCount) return cursor->Fail();
    *section = static_cast<Section>(number);
    cursor->Raw(3);
  } else if (!ReadLongDescriptor(cursor, section)) {
    return false;
  }
  *value = cursor->Skip();
  return cursor->ok();
}

bool SplitSections(std::string_view encoded, Sections* sections,
                   SplitError* error) {
  Cursor cursor(encoded);
  const char* const begin = encoded.data();
  const char* start = begin;
  const char* bare = nullptr;
  const char* body = nullptr;
  const char* body_end = nullptr;
  int last = -1;
  const auto refuse = [&](std::string_view what) {
    if (error != nullptr) {
      *error = {static_cast<size_t>(start - begin), what};
    }
    return false;
  };
  while (!cursor.done()) {
    start = cursor.position();
    Section section;
    std::string_view value;
    if (!NextSection(&cursor, &section, &value)) {
      return refuse("no whole section");
    }
    if (!MayFollow(last, section)) return refuse("a section out of its order");
    if (!IsOfItsType(section, value)) {
      return refuse("a section of another type than its own");
    }
    if (bare == nullptr && section >= kMessageAnnotations) bare = start;
    if (section != last) sections->value[section] = value;
    if (IsBody(section)) {
      if (body == nullptr) body = start;
      body_end = cursor.position();
      ++sections->body_sections;
    }
    last = section;
  }
  const char* const end = begin + encoded.size();
  if (bare == nullptr) bare = end;
  sections->bare = {bare, static_cast<size_t>(end - bare)};
  if (body != nullptr) {
    sections->body = {body, static_cast<size_t>(body_end - body)};
  }
  return true;
}

}  // namespace tieline::inline v0::amqp::wire
