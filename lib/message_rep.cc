#include "lib/message_rep.h"

#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "lib/base/slab.h"

namespace tieline::inline v0 {
namespace {

// Fields come and go with messages.
struct FreeFields {
  void operator()(MessageFields* fields) const {
    fields->~MessageFields();
    SlabFree(fields, sizeof(MessageFields));
  }
};
using OwnedFields = std::unique_ptr<MessageFields, FreeFields>;

OwnedFields MakeFields() {
  // Not MessageFields(), which would clear it all first.
  return OwnedFields(new (SlabAllocate(sizeof(MessageFields))) MessageFields);
}
OwnedFields CopyFields(const MessageFields& fields) {
  return OwnedFields(new (SlabAllocate(sizeof(MessageFields)))
                         MessageFields(fields));
}

}  // namespace

MessageRep* MessageRep::Make(size_t inline_body) {
  const size_t size = sizeof(MessageRep) + inline_body;
  return new (SlabAllocate(size)) MessageRep(size);
}

MessageRep::~MessageRep() {
  if (MessageFields* fields = fields_.load(std::memory_order_acquire)) {
    FreeFields()(fields);
  }
  if (native.handle != nullptr) source->Release(native.handle);
}

void MessageRep::Destroy() {
  const size_t size = allocated_;
  this->~MessageRep();
  SlabFree(this, size);
}

const MessageFields* MessageRep::Fields() const {
  MessageFields* fields = fields_.load(std::memory_order_acquire);
  if (fields != nullptr) return fields;
  if (source == nullptr && id_size_ == 0 && light_properties_.empty()) {
    return nullptr;
  }
  OwnedFields made = MakeFields();
  if (source != nullptr) source->Decode(native, made.get());
  // Copied: whoever else holds the message may be reading them.
  if (!light_properties_.empty()) made->properties = light_properties_;
  if (id_size_ > 0) {
    made->id = std::string(id());
    made->id_type = Type::kString;
    made->mark(Field::kId);
  }
  if (fields_.compare_exchange_strong(fields, made.get(),
                                      std::memory_order_acq_rel)) {
    return made.release();
  }
  return fields;  // somebody else was first
}

const Properties& MessageRep::properties() const {
  const MessageFields* fields = OtherFields();
  return fields == nullptr ? light_properties_ : fields->properties;
}

MessageFields& MessageRep::MutableFields() {
  changed |= driver::kChangedFields;
  const bool was_light = is_light();
  Properties properties = std::exchange(light_properties_, {});
  if (Fields() == nullptr) {
    fields_.store(MakeFields().release(), std::memory_order_release);
  }
  // From now on the fields' own.
  id_size_ = 0;
  MessageFields& fields = *fields_.load(std::memory_order_acquire);
  if (was_light) fields.properties = std::move(properties);
  return fields;
}

Properties& MessageRep::MutableProperties() {
  if (!is_light()) return MutableFields().properties;
  changed |= driver::kChangedFields;
  return light_properties_;
}

MessageRep* MessageRep::Clone() {
  MessageRep* copy = Make();
  if (is_light()) {
    copy->light_properties_ = light_properties_;
    copy->id_ = id_;
    copy->id_size_ = id_size_;
  } else if (const MessageFields* fields = Fields()) {
    copy->fields_.store(CopyFields(*fields).release(),
                        std::memory_order_release);
  }
  copy->kind = TrueKind();
  copy->has_key = has_key;
  if (has_key) copy->SetKey(key);
  if (copy->kind == BodyKind::kData) copy->SetBody(BodyBytes());
  copy->changed =
      driver::kChangedBody | driver::kChangedKey | driver::kChangedFields;
  return copy;
}

std::string_view MessageRep::id() const {
  if (id_size_ > 0) return {id_.data(), id_size_};
  const MessageFields* fields = OtherFields();
  return fields == nullptr ? std::string_view() : fields->id;
}

void MessageRep::set_short_id(std::string_view id) {
  std::memcpy(id_.data(), id.data(), id.size());
  id_size_ = static_cast<uint8_t>(id.size());
}

BodyKind MessageRep::TrueKind() const {
  if (!kind_by_fields) return kind;
  const MessageFields* fields = Fields();
  return fields == nullptr ? kind : fields->body_kind;
}

void MessageRep::SetBody(Bytes bytes) {
  kind = BodyKind::kData;
  kind_by_fields = false;
  body_pin_ = std::move(bytes);
  body = body_pin_.view();
  changed |= driver::kChangedBody;
}

Bytes MessageRep::BodyBytes() {
  if (body_pin_.owner() != nullptr) return body_pin_;
  Ref();
  return Bytes::Adopt(body, this);
}

void MessageRep::SetKey(std::string_view k) {
  key_storage_.assign(k);
  key = key_storage_;
  has_key = true;
  changed |= driver::kChangedKey;
}

}  // namespace tieline::inline v0
