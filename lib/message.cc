#include "tieline/message.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "lib/message_rep.h"
#include "tieline/driver/message_access.h"

namespace tieline::inline v0 {
namespace {

const MessageFields& NoFields() {
  static const MessageFields none;
  return none;
}

// For what is neither id nor properties.
const MessageFields& FieldsOrNone(const MessageRep* rep) {
  const MessageFields* fields = rep == nullptr ? nullptr : rep->OtherFields();
  return fields == nullptr ? NoFields() : *fields;
}

}  // namespace

Message::Message() = default;

Message::Message(std::string_view body) : rep_(MessageRep::Make(body.size())) {
  if (!body.empty()) {
    std::memcpy(rep_->inline_data(), body.data(), body.size());
  }
  rep_->kind = BodyKind::kData;
  rep_->body = {rep_->inline_data(), body.size()};
}

Message::Message(Bytes body) : rep_(MessageRep::Make()) {
  rep_->SetBody(std::move(body));
}

Message::Message(const Message& other) : rep_(other.rep_) {
  if (rep_ != nullptr) rep_->Ref();
}

Message::~Message() {
  if (rep_ != nullptr) rep_->Unref();
}

MessageRep* Message::Mutable() {
  if (rep_ == nullptr) {
    rep_ = MessageRep::Make();
  } else if (!rep_->unique()) {
    MessageRep* copy = rep_->Clone();
    rep_->Unref();
    rep_ = copy;
  }
  return rep_;
}

MessageFields& Message::MutableFields() { return Mutable()->MutableFields(); }

BodyKind Message::body_kind() const {
  return rep_ == nullptr ? BodyKind::kNull : rep_->TrueKind();
}

std::string_view Message::body_view() const {
  if (rep_ == nullptr) return {};
  if (rep_->kind == BodyKind::kData) return rep_->body;
  if (rep_->kind != BodyKind::kValue) return {};
  const Value& value = body_value();
  switch (value.type()) {
    case Type::kString:
    case Type::kSymbol:
    case Type::kBinary:
      return value.text();
    default:
      return {};
  }
}

Bytes Message::body() const {
  if (rep_ == nullptr) return {};
  if (rep_->kind == BodyKind::kData) return rep_->BodyBytes();
  const std::string_view text = body_view();
  if (text.empty()) return {};
  rep_->Ref();
  return Bytes::Adopt(text, rep_);
}

const Value& Message::body_value() const {
  return FieldsOrNone(rep_).body_value;
}

bool Message::has(Field field) const {
  if (rep_ == nullptr) return false;
  if (field == Field::kKey) return rep_->has_key;
  if (field == Field::kId && rep_->has_short_id()) return true;
  return FieldsOrNone(rep_).has(field);
}

std::string_view Message::id() const {
  return rep_ == nullptr ? std::string_view() : rep_->id();
}

std::string_view Message::key() const {
  return rep_ == nullptr ? std::string_view() : rep_->key;
}

Message& Message::set_key(std::string_view v) {
  Mutable()->SetKey(v);
  return *this;
}

// The text fields, which are all alike.
#define TIELINE_TEXT_FIELD(name, field)                                      \
  std::string_view Message::name() const { return FieldsOrNone(rep_).name; } \
  Message& Message::set_##name(std::string_view v) {                         \
    MessageFields& fields = MutableFields();                                 \
    fields.name = std::string(v);                                            \
    fields.mark(field);                                                      \
    return *this;                                                            \
  }

TIELINE_TEXT_FIELD(subject, Field::kSubject)
TIELINE_TEXT_FIELD(content_type, Field::kContentType)
TIELINE_TEXT_FIELD(content_encoding, Field::kContentEncoding)
TIELINE_TEXT_FIELD(to, Field::kTo)
TIELINE_TEXT_FIELD(reply_to, Field::kReplyTo)
TIELINE_TEXT_FIELD(reply_to_key, Field::kReplyToKey)
TIELINE_TEXT_FIELD(user_id, Field::kUserId)
#undef TIELINE_TEXT_FIELD

// The fields that are plain values.
#define TIELINE_VALUE_FIELD(type, name, field)                   \
  type Message::name() const { return FieldsOrNone(rep_).name; } \
  Message& Message::set_##name(type v) {                         \
    MessageFields& fields = MutableFields();                     \
    fields.name = v;                                             \
    fields.mark(field);                                          \
    return *this;                                                \
  }

TIELINE_VALUE_FIELD(uint32_t, group_sequence, Field::kGroupSequence)
TIELINE_VALUE_FIELD(uint8_t, priority, Field::kPriority)
TIELINE_VALUE_FIELD(bool, durable, Field::kDurable)
TIELINE_VALUE_FIELD(absl::Time, created, Field::kCreated)
TIELINE_VALUE_FIELD(absl::Time, expires, Field::kExpires)
TIELINE_VALUE_FIELD(absl::Time, deliver_at, Field::kDeliverAt)
#undef TIELINE_VALUE_FIELD

absl::Duration Message::ttl() const { return FieldsOrNone(rep_).ttl; }

Message& Message::set_ttl(absl::Duration v) {
  MessageFields& fields = MutableFields();
  fields.ttl =
      std::max(absl::ZeroDuration(), absl::Trunc(v, absl::Milliseconds(1)));
  fields.mark(Field::kTtl);
  return *this;
}

std::string_view Message::correlation_id() const {
  return FieldsOrNone(rep_).correlation_id;
}

Type Message::id_type() const {
  if (rep_ != nullptr && rep_->has_short_id()) return Type::kString;
  return FieldsOrNone(rep_).id_type;
}

Type Message::correlation_id_type() const {
  return FieldsOrNone(rep_).correlation_id_type;
}

Message& Message::set_id(std::string_view v, Type type) {
  MessageFields& fields = MutableFields();
  fields.id = std::string(v);
  fields.id_type = type;
  fields.mark(Field::kId);
  return *this;
}

Message& Message::set_correlation_id(std::string_view v, Type type) {
  MessageFields& fields = MutableFields();
  fields.correlation_id = std::string(v);
  fields.correlation_id_type = type;
  fields.mark(Field::kCorrelationId);
  return *this;
}

std::optional<int32_t> Message::partition() const {
  const MessageFields& fields = FieldsOrNone(rep_);
  if (!fields.has(Field::kPartition)) return std::nullopt;
  return fields.partition;
}

Message& Message::set_partition(int32_t v) {
  MessageFields& fields = MutableFields();
  fields.partition = v;
  fields.mark(Field::kPartition);
  return *this;
}

std::string_view Message::trace_parent() const {
  const Value* value = properties().Find("traceparent");
  return value == nullptr ? std::string_view() : value->AsString().value_or("");
}

std::string_view Message::trace_state() const {
  const Value* value = properties().Find("tracestate");
  return value == nullptr ? std::string_view() : value->AsString().value_or("");
}

Message& Message::set_trace_parent(std::string_view v) {
  return set_property("traceparent", Value(v));
}

Message& Message::set_trace_state(std::string_view v) {
  return set_property("tracestate", Value(v));
}

const Properties& Message::properties() const {
  return rep_ == nullptr ? NoFields().properties : rep_->properties();
}

const Properties& Message::annotations() const {
  return FieldsOrNone(rep_).annotations;
}

const Properties& Message::footer() const { return FieldsOrNone(rep_).footer; }

Message& Message::set_body(std::string_view data) {
  return set_body(Bytes::Copy(data));
}

Message& Message::set_body(Bytes data) {
  Mutable()->SetBody(std::move(data));
  return *this;
}

Message& Message::set_null_body() {
  MessageRep* rep = Mutable();
  rep->SetBody(Bytes());
  rep->kind = BodyKind::kNull;
  return *this;
}

Message& Message::set_value_body(Value value) {
  MessageRep* rep = Mutable();
  rep->SetBody(Bytes());
  rep->kind = BodyKind::kValue;
  rep->MutableFields().body_value = std::move(value);
  return *this;
}

Message& Message::set_sequence_body(Value list) {
  set_value_body(std::move(list));
  rep_->kind = BodyKind::kSequence;
  return *this;
}

Message& Message::set_property(std::string_view name, Value value) {
  Mutable()->MutableProperties().Set(name, std::move(value));
  return *this;
}

Message& Message::set_annotation(std::string_view name, Value value) {
  MutableFields().annotations.Set(name, std::move(value));
  return *this;
}

Properties& Message::mutable_properties() {
  return Mutable()->MutableProperties();
}

Properties& Message::mutable_annotations() {
  return MutableFields().annotations;
}

Properties& Message::mutable_footer() { return MutableFields().footer; }

Message& Message::clear(Field field) {
  MessageRep* rep = Mutable();
  if (field == Field::kKey) {
    rep->SetKey("");
    rep->has_key = false;
    return *this;
  }
  const MessageFields none;
  MessageFields& f = rep->MutableFields();
  f.unmark(field);
  switch (field) {
    case Field::kId:
      f.id.clear();
      f.id_type = Type::kString;
      break;
    case Field::kCorrelationId:
      f.correlation_id.clear();
      f.correlation_id_type = Type::kString;
      break;
    case Field::kSubject:
      f.subject.clear();
      break;
    case Field::kContentType:
      f.content_type.clear();
      break;
    case Field::kContentEncoding:
      f.content_encoding.clear();
      break;
    case Field::kTo:
      f.to.clear();
      break;
    case Field::kReplyTo:
      f.reply_to.clear();
      break;
    case Field::kReplyToKey:
      f.reply_to_key.clear();
      break;
    case Field::kUserId:
      f.user_id.clear();
      break;
    case Field::kGroupSequence:
      f.group_sequence = 0;
      break;
    case Field::kPriority:
      f.priority = none.priority;
      break;
    case Field::kDurable:
      f.durable = none.durable;
      break;
    case Field::kTtl:
      f.ttl = none.ttl;
      break;
    case Field::kCreated:
      f.created = none.created;
      break;
    case Field::kExpires:
      f.expires = none.expires;
      break;
    case Field::kDeliverAt:
      f.deliver_at = none.deliver_at;
      break;
    case Field::kPartition:
      f.partition = none.partition;
      break;
    case Field::kKey:
      break;
  }
  return *this;
}

size_t Message::size_estimate() const {
  constexpr size_t kOverhead = 64;  // standard fields, framing
  if (rep_ == nullptr) return kOverhead;
  size_t size = kOverhead + rep_->body.size() + rep_->key.size();
  if (!rep_->native.encoded.empty()) {
    return std::max(size, rep_->native.encoded.size());
  }
  if (rep_->source != nullptr && rep_->changed == 0) return size;
  size += FieldsOrNone(rep_).body_value.text().size();
  for (const Property& p : rep_->properties()) {
    size += p.name.size() + p.value.text().size() + 20;
  }
  return size;
}

namespace driver {

Message MakeMessage(NativeParts parts) {
  MessageRep* rep = MessageRep::Make();
  rep->source = parts.source;
  rep->native = std::move(parts.native);
  rep->kind = parts.body_kind;
  rep->kind_by_fields = parts.kind_by_fields;
  rep->body = parts.body;
  rep->has_key = parts.has_key;
  rep->key = parts.key;
  return Message(rep);
}

const Native* NativeOf(const Message& message, const MessageSource* source,
                       uint32_t* changed) {
  const MessageRep* rep = message.rep();
  if (rep == nullptr || rep->source == nullptr || rep->source != source) {
    return nullptr;
  }
  *changed = rep->changed;
  return &rep->native;
}

const MessageFields& FieldsOf(const Message& message) {
  const MessageRep* rep = message.rep();
  const MessageFields* fields = rep == nullptr ? nullptr : rep->Fields();
  return fields == nullptr ? NoFields() : *fields;
}

MessageFields& MutableFieldsOf(Message& message) {
  message.mutable_properties();  // makes the content this handle's own
  return message.rep()->MutableFields();
}

const Properties* LightPropertiesOf(const Message& message) {
  const MessageRep* rep = message.rep();
  if (rep == nullptr) return &NoFields().properties;
  return rep->is_light() ? &rep->properties() : nullptr;
}

bool StampId(Message& message, std::string_view id) {
  if (message.rep() != nullptr && message.has(Field::kId)) return false;
  if (id.size() > MessageRep::kShortId || id.empty() ||
      (message.rep() != nullptr && !message.rep()->unique())) {
    message.set_id(id);
    return true;
  }
  if (message.rep() == nullptr) message = Message(MessageRep::Make());
  MessageRep* rep = message.rep();
  if (rep->is_light()) {
    rep->set_short_id(id);
  } else {
    message.set_id(id);
  }
  return true;
}

}  // namespace driver
}  // namespace tieline::inline v0
