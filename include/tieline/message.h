// Message: body, standard fields and typed properties.
//
// A Message is a handle: copying it is cheap and shares the content, and the
// first setter on a shared message makes a private copy (of the fields; bodies
// stay shared). Once sent, a message never changes.
// Fields of received messages are decoded when first asked for.
// Threads: distinct handles may be used from distinct threads, also when they
// share content; one handle follows the rules of a std::string.
#ifndef TIELINE_MESSAGE_H_
#define TIELINE_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "tieline/bytes.h"
#include "tieline/properties.h"
#include "tieline/value.h"

namespace tieline::inline v0 {

enum class BodyKind : uint8_t {
  kNull,      // no body: a Kafka tombstone, an AMQP null value
  kData,      // bytes; several AMQP data sections are joined
  kValue,     // one AMQP value (body_value())
  kSequence,  // an AMQP sequence, as a list (body_value())
};

// The standard fields that a message may or may not have.
enum class Field : uint8_t {
  kId,
  kKey,
  kCorrelationId,
  kSubject,
  kContentType,
  kContentEncoding,
  kTo,
  kReplyTo,
  kReplyToKey,
  kUserId,
  kGroupSequence,
  kPriority,
  kDurable,
  kTtl,
  kCreated,
  kExpires,
  kDeliverAt,
  kPartition,
};

struct MessageFields;  // tieline/driver/message_fields.h
class MessageRep;

class Message {
 public:
  Message();  // null body
  // A data body, copied; up to a few hundred bytes share the message's own
  // allocation.
  explicit Message(std::string_view body);
  explicit Message(const char* body) : Message(std::string_view(body)) {}
  // A data body, not copied.
  explicit Message(Bytes body);

  Message(const Message& other);
  Message(Message&& other) noexcept
      : rep_(std::exchange(other.rep_, nullptr)) {}
  Message& operator=(Message other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Message();

  BodyKind body_kind() const;
  // The body's bytes: of a data body, or the text of a string, symbol or binary
  // value; else empty (from Kafka: the record's bytes). The view lives as long
  // as this message's content; the slice pins it.
  std::string_view body_view() const;
  Bytes body() const;
  // The value of a kValue or kSequence body; null value otherwise.
  const Value& body_value() const;

  bool has(Field field) const;
  // Text fields: empty when the message has none (has() tells null and empty
  // apart). Views live until the next setter on this handle.
  std::string_view id() const;
  // Ordering key (bytes): Kafka record key, Service Bus session id, AMQP
  // group-id.
  std::string_view key() const;
  std::string_view correlation_id() const;
  std::string_view subject() const;
  std::string_view content_type() const;
  std::string_view content_encoding() const;
  std::string_view to() const;
  std::string_view reply_to() const;
  std::string_view reply_to_key() const;  // AMQP reply-to-group-id
  std::string_view user_id() const;       // bytes
  // The AMQP type of an id or correlation id whose text the accessors give
  // (string, ulong, uuid or binary; AMQP 1.0 section 3.2.11-14).
  Type id_type() const;
  Type correlation_id_type() const;
  uint32_t group_sequence() const;  // 0 when there is none
  uint8_t priority() const;         // 4 when there is none (AMQP 3.2.1)
  bool durable() const;             // true when the message doesn't say
  absl::Duration ttl() const;       // InfiniteDuration when there is none
  absl::Time created() const;       // InfinitePast when there is none
  absl::Time expires() const;       // InfiniteFuture when there is none
  absl::Time deliver_at() const;    // InfinitePast when there is none
  std::optional<int32_t> partition() const;
  // W3C trace context: the properties "traceparent" and "tracestate".
  std::string_view trace_parent() const;
  std::string_view trace_state() const;

  const Properties& properties() const;
  // AMQP message annotations (names are symbols) and footer. Other backends
  // carry them as their mapping table says.
  const Properties& annotations() const;
  const Properties& footer() const;

  Message& set_body(std::string_view data);
  Message& set_body(Bytes data);
  Message& set_null_body();
  Message& set_value_body(Value value);
  Message& set_sequence_body(Value list);
  Message& set_id(std::string_view v, Type type = Type::kString);
  Message& set_key(std::string_view v);
  Message& set_correlation_id(std::string_view v, Type type = Type::kString);
  Message& set_subject(std::string_view v);
  Message& set_content_type(std::string_view v);
  Message& set_content_encoding(std::string_view v);
  Message& set_to(std::string_view v);
  Message& set_reply_to(std::string_view v);
  Message& set_reply_to_key(std::string_view v);
  Message& set_user_id(std::string_view v);
  Message& set_group_sequence(uint32_t v);
  Message& set_priority(uint8_t v);
  Message& set_durable(bool v);
  Message& set_ttl(absl::Duration v);  // cut to whole milliseconds, >= 0
  Message& set_created(absl::Time v);
  Message& set_expires(absl::Time v);
  Message& set_deliver_at(absl::Time v);
  Message& set_partition(int32_t v);
  Message& set_trace_parent(std::string_view v);
  Message& set_trace_state(std::string_view v);
  Message& set_property(std::string_view name, Value value);
  Message& set_annotation(std::string_view name, Value value);
  Message& clear(Field field);
  // The properties, for changing in place. Valid until the next use of this
  // handle.
  Properties& mutable_properties();
  Properties& mutable_annotations();
  Properties& mutable_footer();

  // Bytes that the body, key and an estimate of the fields take: what the
  // bounds in bytes count.
  size_t size_estimate() const;

  // For drivers (tieline/driver/message_access.h).
  MessageRep* rep() const { return rep_; }
  explicit Message(MessageRep* adopted) : rep_(adopted) {}

 private:
  MessageRep* Mutable();
  MessageFields& MutableFields();

  MessageRep* rep_ = nullptr;  // null: a null body and no fields
};

}  // namespace tieline::inline v0

#endif  // TIELINE_MESSAGE_H_
