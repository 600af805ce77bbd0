// The header section (AMQP 1.0 section 3.2.1), which every hop writes anew.
//
// Threads: stateless.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_HEADER_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_HEADER_H_

#include <cstdint>

#include "adapters/amqp/wire/cursor.h"
#include "adapters/amqp/wire/message_codec.h"
#include "tieline/driver/message_fields.h"

namespace tieline::inline v0::amqp::wire {

// What of the header belongs to the message.
struct Header {
  bool durable = true;
  bool has_priority = false;
  uint8_t priority = 4;
  bool has_ttl = false;
  uint32_t ttl_ms = 0;
};

Header HeaderOf(const MessageFields& fields);
// Reads a received header section's value, which has been checked.
Header ReadHeader(Cursor* cursor);

// Appends the section.
void WriteHeader(const Header& header, const EncodeOptions& options,
                 Writer* writer);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_HEADER_H_
