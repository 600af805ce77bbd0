// Record headers <-> message fields. Pure; takes hostile bytes.
//
// The table, in both directions (the guide's page has it for users):
//   content-type, content-encoding       the fields of that name
//   tieline-id, tieline-correlation-id, tieline-subject, tieline-to,
//   tieline-reply-to, tieline-reply-to-key, tieline-user-id,
//   tieline-group-sequence, tieline-priority, tieline-durable, tieline-ttl
//   (milliseconds), tieline-expires, tieline-deliver-at (RFC 3339)
//   tieline-body                         "value" or "sequence"; the type of a
//                                        value stands in tieline-types
//   tieline-a-NAME, tieline-f-NAME       annotation, footer NAME
//   tieline-p-NAME                       property NAME, where NAME itself is
//                                        one of the names above
//   any other NAME                       property NAME
//   tieline-types                        "NAME=TYPE;...": the exact types of
//                                        headers that are not plain strings;
//                                        NAME is the header's, with %XX for
//                                        what would break the list
// Values are readable text (Value::ToText). A header without an entry in
// tieline-types is a string when it is valid UTF-8, else binary as it is; a
// null header is a null value.
#ifndef TIELINE_ADAPTERS_KAFKA_HEADER_MAPPING_H_
#define TIELINE_ADAPTERS_KAFKA_HEADER_MAPPING_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tieline/driver/message_fields.h"
#include "tieline/message.h"

namespace tieline::inline v0 {
namespace kafka {

struct Header {
  std::string_view name;
  std::string_view value;
  bool null = false;
};

// Of one record; what goes beyond is left out.
inline constexpr size_t kMaxHeaders = 1000;
inline constexpr size_t kMaxHeaderName = 1000;

// Fills `fields`. Of several headers with one name the last counts, as the
// record's other readers take it. A header whose text is not of its declared
// type becomes a string or binary property, as it came.
void DecodeHeaders(std::span<const Header> headers, MessageFields* fields);

// What a body is, as the headers say: kData unless there is a tieline-body.
BodyKind BodyKindOf(std::span<const Header> headers);
// The value of a kValue or kSequence body, from the record's value and the
// headers. Null value when they do not fit together.
Value DecodeBody(std::span<const Header> headers, std::string_view body);

// True when names and texts of these properties go into headers as they are.
bool IsDirect(const Properties& properties);
// The same of all headers for `fields`, beside a data body.
bool IsDirect(const MessageFields& fields);

// Headers for `fields`, in a form that owns their text.
class HeaderList {
 public:
  // Replaces what was there.
  void Encode(const MessageFields& fields, BodyKind kind);
  void Clear();
  size_t size() const { return entries_.size(); }
  // Views live until the next Encode.
  Header at(size_t i) const;

 private:
  struct Entry {
    size_t name, name_size, value, value_size;
    bool null;
  };
  void Add(std::string_view prefix, std::string_view name,
           std::string_view value, bool null = false);
  void AddValue(std::string_view prefix, std::string_view name,
                const Value& value);
  void AddType(std::string_view prefix, std::string_view name, Type type);

  std::string text_;
  std::string types_;
  std::vector<Entry> entries_;
};

// The record's value for a kValue or kSequence body.
std::string EncodeBody(const Value& value);

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_HEADER_MAPPING_H_
