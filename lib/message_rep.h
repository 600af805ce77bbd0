// MessageRep: the shared content of a message.
//
// Made with one reference. Changed only by a holder of the only reference,
// but for `fields`, which any holder may fill in (lazily, once).
#ifndef TIELINE_LIB_MESSAGE_REP_H_
#define TIELINE_LIB_MESSAGE_REP_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "tieline/bytes.h"
#include "tieline/driver/message_access.h"
#include "tieline/message.h"
#include "tieline/properties.h"

namespace tieline::inline v0 {

class MessageRep final : public BytesOwner {
 public:
  // `inline_body` bytes are kept right behind the object.
  static MessageRep* Make(size_t inline_body = 0);

  char* inline_data() { return reinterpret_cast<char*>(this + 1); }

  // All fields, decoded or made now; null when there are none.
  const MessageFields* Fields() const;
  // As Fields, for who asks neither for the id nor for properties: null as well
  // when there is nothing else.
  const MessageFields* OtherFields() const {
    return is_light() ? nullptr : Fields();
  }
  // True of a message made here that was given nothing but body, key, a short
  // id and properties: it goes without the fields' block, which is large.
  bool is_light() const {
    return source == nullptr &&
           fields_.load(std::memory_order_acquire) == nullptr;
  }
  const Properties& properties() const;
  // For the holder of the only reference.
  MessageFields& MutableFields();
  Properties& MutableProperties();
  // A copy of its own, sharing the body.
  MessageRep* Clone();

  std::string_view id() const;
  bool has_short_id() const { return id_size_ > 0; }
  void set_short_id(std::string_view id);
  static constexpr size_t kShortId = 31;

  // The body's kind, decoding the fields where only they tell it.
  BodyKind TrueKind() const;
  void SetBody(Bytes bytes);
  Bytes BodyBytes();
  void SetKey(std::string_view key);

  std::string_view body;  // of kData; empty otherwise
  std::string_view key;
  BodyKind kind = BodyKind::kNull;
  bool kind_by_fields = false;  // NativeParts::kind_by_fields
  bool has_key = false;
  uint8_t changed = driver::kChangedNothing;
  const driver::MessageSource* source = nullptr;
  driver::Native native;

 private:
  explicit MessageRep(size_t allocated) : allocated_(allocated) {}
  ~MessageRep() override;
  void Destroy() override;

  const size_t allocated_;
  Bytes body_pin_;  // when the body is a slice given by someone
  std::string key_storage_;
  Properties light_properties_;  // empty where there are fields of its own
  mutable std::atomic<MessageFields*> fields_{nullptr};
  uint8_t id_size_ = 0;
  std::array<char, kShortId> id_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_MESSAGE_REP_H_
