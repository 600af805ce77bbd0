// The sections of a message that are maps: message annotations, application
// properties and footer (AMQP 1.0 sections 3.2.3, 3.2.5 and 3.2.8).
//
// Threads: stateless.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_MAPS_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_MAPS_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "absl/status/status.h"
#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/writer.h"
#include "tieline/driver/message_fields.h"

namespace tieline::inline v0::amqp::wire {

inline constexpr size_t kMaxText = std::numeric_limits<uint32_t>::max();

// kInvalidArgument when `text` is not UTF-8 (ASCII), or too long for AMQP.
absl::Status CheckText(std::string_view name, std::string_view text);
absl::Status CheckSymbol(std::string_view name, std::string_view text);

// The set of some fields, as MessageFields::present has it.
constexpr uint32_t FieldBits(std::initializer_list<Field> fields) {
  uint32_t bits = 0;
  for (const Field f : fields) bits |= 1u << static_cast<int>(f);
  return bits;
}

// Application properties may have no composites; those are an annotation.
inline bool IsComposite(const Value& value) {
  return value.type() >= Type::kList;
}
struct MapContents {
  uint32_t simple = 0;      // values that are not composites
  uint32_t composites = 0;  // values that are
  size_t room = 0;          // that the simple ones take at most
};
MapContents LookOver(const Properties& list);

// A body that RabbitMQ wants as data.
bool IsHeldValue(const Message& message, const EncodeOptions& options);

// True when there is something to annotate, apart from composites.
bool NeedsAnnotations(const Message& message, const MessageFields& fields,
                      const EncodeOptions& options);

// Each appends one section, or nothing when it would be empty. The names of
// annotations and footer entries are symbols. kInvalidArgument names the entry
// that AMQP can't carry.
absl::Status WriteAnnotations(const Message& message,
                              const MessageFields& fields,
                              const EncodeOptions& options, Writer* writer);
absl::Status WriteApplicationProperties(const Properties& properties,
                                        const MapContents& contents,
                                        Writer* writer);
absl::Status WriteFooter(const Properties& footer, Writer* writer);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_MAPS_H_
