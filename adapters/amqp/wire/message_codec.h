// Messages to and from AMQP 1.0's message format (part 3, section 3.2).
//
// Receiving: DecodeMessage checks the form of the whole message in one scan,
// finds body and key without copying, and leaves the rest encoded until
// somebody asks. Sending: EncodeMessage; a message that came from DecodeMessage
// and was not changed is passed on by its encoded bytes, with only the header
// rebuilt (delivery annotations are hop by hop and left behind).
// Threads: stateless.
//
// What goes where (both ways, unless said otherwise):
//   body            data; amqp-value; amqp-sequence; kNull is an amqp-value
//                   null. Several data sections are joined, several sequences
//                   are one list. A message without a body section, which is
//                   malformed, is taken for kNull.
//   key             group-id. AMQP wants UTF-8 there: a key that is not, or
//                   that has a NUL or begins with "tieline:b64:", is carried
//                   as "tieline:b64:" and its base64 (RFC 4648 section 4), so
//                   that brokers still group by it.
//   id, correlation id, to, subject, reply-to, content type and encoding, user
//   id, created, expires, group sequence, reply-to key: their namesakes in the
//                   properties section. An id whose text does not fit its type
//                   goes as a string, and one that is not UTF-8 as binary.
//                   Times are cut to milliseconds.
//   priority, ttl   header. durable: header, true unless the message says no.
//   deliver at      message annotation, named by EncodeOptions::scheduling;
//                   read under either name.
//   partition       message annotation "x-opt-tieline-partition" (int).
//   properties      application-properties. Lists, maps and arrays are not
//                   allowed there (section 3.2.5): they, and described values,
//                   go into one message annotation, "x-opt-tieline-properties",
//                   a map by name.
//   annotations     message-annotations; those with a number for a name
//                   (reserved, section 3.2.10) only in unchanged messages.
//   footer          footer, with symbols for names.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_CODEC_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapters/amqp/wire/writer.h"
#include "tieline/bytes.h"
#include "tieline/driver/message_access.h"
#include "tieline/message.h"

namespace tieline::inline v0::amqp::wire {

// What a receiver wants to know of each delivery beside the message.
struct DeliveryFacts {
  uint32_t delivery_count = 0;  // earlier, failed deliveries (3.2.1)
  bool has_first_acquirer = false;
  bool first_acquirer = false;  // false: somebody else had it before
  uint8_t priority = 4;
  // Message annotations of Service Bus: x-opt-sequence-number, -1 when there is
  // none, and x-opt-locked-until in ms since 1970, 0 when there is none.
  int64_t sequence_number = -1;
  int64_t locked_until_ms = 0;

  friend bool operator==(const DeliveryFacts&, const DeliveryFacts&) = default;
};

// The sections ahead of the properties as the last message had them. Brokers
// write the same ones before message after message, and bytes that were found
// well formed need no second look. For the messages of one receiver; one thread
// at a time.
struct Preamble {
  static constexpr size_t kMaxSize = 128;
  std::array<char, kMaxSize> bytes;
  size_t size = 0;  // 0: nothing is known
  // What was read of them.
  DeliveryFacts facts;
  bool holds_value = false;
  uint32_t may_follow = 0;  // a bit for each section
};

// Makes a message of one that came whole in `encoded`, which it keeps.
// kInvalidArgument says where it is malformed (byte offset and section): a
// value that is not well formed, sections out of order or twice, more than
// 65,535 entries in a map.
// `facts` may be null. A subject that is `broker_subject` is the broker's, not
// the message's, and is left out (empty: none is). `seen`, which may be null,
// saves work where messages begin alike; the result is the same.
absl::StatusOr<Message> DecodeMessage(Bytes encoded, DeliveryFacts* facts,
                                      std::string_view broker_subject = {},
                                      Preamble* seen = nullptr);

// The same, without making a message: for bytes that only pass through.
absl::Status CheckMessage(std::string_view encoded);

// Identity of messages made by DecodeMessage, for driver::NativeOf: those whose
// encoded bytes can be passed on, and those whose subject is to be left out.
const driver::MessageSource* Source();
const driver::MessageSource* SourceWithoutSubject();

enum class Scheduling : uint8_t {
  kDeliveryTime,          // "x-opt-delivery-time": Artemis, Qpid
  kScheduledEnqueueTime,  // "x-opt-scheduled-enqueue-time": Service Bus
};

struct EncodeOptions {
  Scheduling scheduling = Scheduling::kDeliveryTime;
  uint32_t delivery_count = 0;
  // Write the header with an explicit delivery-count, even 0 (servers).
  bool always_delivery_count = false;
  // What RabbitMQ can't take goes another way. It takes a user id for the
  // sender's own name and closes the link when it is another: then the message
  // annotation "x-opt-tieline-user-id". A composite as amqp-value ends its
  // session (3.10): then a data section with the encoded value, marked by
  // the message annotation "x-opt-tieline-body".
  bool for_rabbitmq = false;
  // Bodies of up to so many bytes are copied behind the head; larger ones are
  // left to the caller as a slice.
  size_t inline_limit = 512;
};

// Appends the message to `writer`; `*rest` is what is to be sent after it (a
// slice of the body, or of the encoded message), or empty.
// kInvalidArgument, with nothing appended, names the field that AMQP can't
// carry: text that is not UTF-8, a content type that is not ASCII, a malformed
// composite, an annotation's name that is not ASCII.
absl::Status EncodeMessage(const Message& message, const EncodeOptions& options,
                           Writer* writer, Bytes* rest);

// The whole message in one piece.
absl::StatusOr<Bytes> EncodeToBytes(const Message& message,
                                    const EncodeOptions& options);

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_MESSAGE_CODEC_H_
