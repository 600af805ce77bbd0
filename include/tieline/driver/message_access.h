// How drivers make messages from what arrives, and read those they send,
// without decoding or copying what nobody asks for.
//
// Threads: a MessageSource is stateless and called from any thread. Decode of
// one message may run on two threads at a time and must give both the same;
// Release is called once, after the message's last slice is gone.
#ifndef TIELINE_DRIVER_MESSAGE_ACCESS_H_
#define TIELINE_DRIVER_MESSAGE_ACCESS_H_

#include <string_view>

#include "tieline/bytes.h"
#include "tieline/driver/message_fields.h"
#include "tieline/message.h"
#include "tieline/properties.h"

namespace tieline::inline v0 {
namespace driver {

// What a message was received as. `handle` belongs to the client library (null
// where there is none); `encoded` is the whole message as it came, if the
// driver keeps it so that a sender of the same kind can pass it on.
struct Native {
  void* handle = nullptr;
  Bytes encoded;
};

// One object a backend (or several, where it has several native forms):
// identity says what a Native is.
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  // Fills `fields` (fresh) with everything but key and body bytes; also
  // body_value for value and sequence bodies. Bytes that can't be decoded
  // leave the field out: a driver checks form when it receives.
  virtual void Decode(const Native& native, MessageFields* fields) const = 0;
  // Frees the handle. May run on any thread; must not block.
  virtual void Release(void* handle) const = 0;
};

// What has changed since the message was received; a bit set of these.
enum Changed : uint32_t {
  kChangedNothing = 0,
  kChangedBody = 1,
  kChangedKey = 2,
  kChangedFields = 4,
};

struct NativeParts {
  const MessageSource* source = nullptr;
  Native native;
  BodyKind body_kind = BodyKind::kData;
  // Only the fields tell the kind (MessageFields::body_kind). Message::body()
  // gives `body` as it is, without finding out.
  bool kind_by_fields = false;
  // Must point into the native form, or into memory that outlives it. A slice
  // with an owner may be given instead through `encoded`.
  std::string_view body;
  bool has_key = false;
  std::string_view key;
};

// Makes a message around a native one; takes over `parts.native.handle`.
Message MakeMessage(NativeParts parts);

// The native form, or null when the message was not received from `source`.
// `*changed` says what no longer holds.
const Native* NativeOf(const Message& message, const MessageSource* source,
                       uint32_t* changed);

// All fields (decoded now, if they were not).
const MessageFields& FieldsOf(const Message& message);
MessageFields& MutableFieldsOf(Message& message);

// The properties of a message that certainly has nothing else but body, key and
// perhaps an id (Message::has(Field::kId), Message::id(); a string); null of
// any other. Nothing is decoded to find out. The fast path of encoders.
const Properties* LightPropertiesOf(const Message& message);

// Gives a message without an id this one; false when it has one. Up to 31
// bytes cost no allocation.
bool StampId(Message& message, std::string_view id);

}  // namespace driver
}  // namespace tieline::inline v0

#endif  // TIELINE_DRIVER_MESSAGE_ACCESS_H_
