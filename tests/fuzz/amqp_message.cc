// Any bytes as an AMQP message: refused, or read whole without harm; passed on
// as it came, and after a change encoded so that everything else arrives.
#include <cstdlib>
#include <string>
#include <utility>

#include "adapters/amqp/wire/message_codec.h"
#include "tieline/driver/message_access.h"

namespace tieline {
namespace {

using amqp::wire::DecodeMessage;
using amqp::wire::DeliveryFacts;
using amqp::wire::EncodeOptions;
using amqp::wire::EncodeToBytes;
using amqp::wire::Scheduling;

void Expect(bool condition) {
  if (!condition) std::abort();
}

// A header is always written: durable is then said.
void ExpectSame(const Message& a, const Message& b) {
  Expect(a.body_kind() == b.body_kind());
  Expect(a.body_view() == b.body_view());
  Expect(a.body_value() == b.body_value());
  Expect(a.has(Field::kKey) == b.has(Field::kKey) && a.key() == b.key());
  const MessageFields& f = driver::FieldsOf(a);
  const MessageFields& g = driver::FieldsOf(b);
  constexpr uint32_t kDurable = 1u << static_cast<int>(Field::kDurable);
  Expect((f.present | kDurable) == g.present);
  Expect(f.id == g.id && f.correlation_id == g.correlation_id);
  Expect(f.priority == g.priority && f.durable == g.durable);
  Expect(f.ttl == g.ttl && f.subject == g.subject && f.to == g.to);
  Expect(f.reply_to == g.reply_to && f.reply_to_key == g.reply_to_key);
  Expect(f.content_type == g.content_type);
  Expect(f.content_encoding == g.content_encoding);
  Expect(f.user_id == g.user_id && f.created == g.created);
  Expect(f.expires == g.expires && f.deliver_at == g.deliver_at);
  Expect(f.group_sequence == g.group_sequence && f.partition == g.partition);
  Expect(f.properties == g.properties && f.annotations == g.annotations);
  Expect(f.footer == g.footer);
}

Message Again(const Message& message, const EncodeOptions& options) {
  const auto bytes = EncodeToBytes(message, options);
  Expect(bytes.ok());
  auto again = DecodeMessage(*bytes, nullptr);
  Expect(again.ok());
  return *std::move(again);
}

// What is remembered of a message changes nothing for the next one.
void TryBehind(Bytes first, const Bytes& second) {
  amqp::wire::Preamble seen;
  DeliveryFacts facts;
  DeliveryFacts alone_facts;
  DecodeMessage(std::move(first), &facts, {}, &seen).IgnoreError();
  const auto behind = DecodeMessage(second, &facts, {}, &seen);
  const auto alone = DecodeMessage(second, &alone_facts);
  Expect(behind.status() == alone.status());
  if (!alone.ok()) return;
  Expect(facts == alone_facts);
  Expect(behind->body_kind() == alone->body_kind());
  Expect(behind->body_view() == alone->body_view());
  Expect(behind->key() == alone->key());
}

void TryMessage(const Bytes& bytes) {
  TryBehind(bytes, bytes);
  TryBehind(bytes, bytes.Slice(0, bytes.size() - bytes.size() / 4));
  TryBehind(bytes.Slice(0, bytes.size() / 2), bytes);
  DeliveryFacts facts;
  const auto received = DecodeMessage(bytes, &facts);
  Expect(received.ok() == amqp::wire::CheckMessage(bytes.view()).ok());
  if (!received.ok()) return;
  // Passed on as it came, unless an annotation must have another name: text
  // that came need not be UTF-8 or ASCII, and then can't be written anew.
  if (EncodeToBytes(*received, {}).ok()) {
    ExpectSame(*received, Again(*received, {}));
  } else {
    Expect(!received->annotations().empty() ||
           bytes.view().find("x-opt-") != std::string_view::npos);
  }

  Message changed = *received;
  changed.set_priority(5);
  EncodeOptions options;
  options.scheduling = Scheduling::kScheduledEnqueueTime;
  options.delivery_count = facts.delivery_count;
  if (!EncodeToBytes(changed, options).ok()) return;
  const Message once = Again(changed, options);
  ExpectSame(once, Again(Message(once).set_priority(5), options));
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tieline::TryMessage(tieline::Bytes::Copy(
      std::string(reinterpret_cast<const char*>(data), size)));
  return 0;
}
