// The codec beside Proton's, an implementation of its own.
#include <proton/codec.h>
#include <proton/message.h>

#include <cstring>
#include <memory>
#include <string>

#include "adapters/amqp/wire/message_codec.h"
#include "adapters/amqp/wire/value_codec.h"
#include "tests/adapters/amqp_codec/samples.h"
#include "tests/support/catch.h"

namespace tieline::amqp_codec_test {
namespace {

struct FreeData {
  void operator()(pn_data_t* d) const { pn_data_free(d); }
};
struct FreeMessage {
  void operator()(pn_message_t* m) const { pn_message_free(m); }
};
using Data = std::unique_ptr<pn_data_t, FreeData>;
using PnMessage = std::unique_ptr<pn_message_t, FreeMessage>;

pn_bytes_t ToPn(std::string_view s) { return pn_bytes(s.size(), s.data()); }
std::string FromPn(pn_bytes_t b) { return std::string(b.start, b.size); }

// Proton's own encoding of what Proton decodes from `bytes`; "" if it refuses.
std::string ThroughProton(std::string_view bytes) {
  const Data data(pn_data(16));
  if (pn_data_decode(data.get(), bytes.data(), bytes.size()) !=
      static_cast<ssize_t>(bytes.size())) {
    return "";
  }
  std::string out(bytes.size() * 2 + 64, '\0');
  const ssize_t n = pn_data_encode(data.get(), out.data(), out.size());
  REQUIRE(n >= 0);
  out.resize(static_cast<size_t>(n));
  return out;
}

Value Decoded(std::string_view bytes) {
  INFO(Hex(bytes));
  amqp::wire::Cursor cursor(bytes);
  Value value;
  REQUIRE(amqp::wire::ReadValue(&cursor, &value));
  REQUIRE(cursor.done());
  return value;
}

bool IsComposite(const Value& v) { return v.type() >= Type::kList; }

TEST_CASE("Proton reads every value we write, and we what it writes") {
  for (const Value& value : EveryValue()) {
    const std::string ours = Encoded(value);
    INFO(TypeName(value.type()) << " " << Hex(ours));
    const std::string theirs = ThroughProton(ours);
    REQUIRE_FALSE(theirs.empty());
    const Value back = Decoded(theirs);
    CHECK(back.type() == value.type());
    // Composites may have another encoding of the same.
    if (!IsComposite(value)) CHECK(back == value);
  }
}

// One value of Proton's, with its type and bits, as a Value.
Value FromAtom(pn_data_t* data) {
  switch (pn_data_type(data)) {
    case PN_NULL:
      return Value();
    case PN_BOOL:
      return Value(pn_data_get_bool(data));
    case PN_UBYTE:
      return Value::Unsigned(Type::kUByte, pn_data_get_ubyte(data));
    case PN_USHORT:
      return Value::Unsigned(Type::kUShort, pn_data_get_ushort(data));
    case PN_UINT:
      return Value(uint32_t{pn_data_get_uint(data)});
    case PN_ULONG:
      return Value(uint64_t{pn_data_get_ulong(data)});
    case PN_BYTE:
      return Value::Signed(Type::kByte, pn_data_get_byte(data));
    case PN_SHORT:
      return Value::Signed(Type::kShort, pn_data_get_short(data));
    case PN_INT:
      return Value(int32_t{pn_data_get_int(data)});
    case PN_LONG:
      return Value(int64_t{pn_data_get_long(data)});
    case PN_FLOAT:
      return Value(pn_data_get_float(data));
    case PN_DOUBLE:
      return Value(pn_data_get_double(data));
    case PN_CHAR:
      return Value::Unsigned(Type::kChar, pn_data_get_char(data));
    case PN_TIMESTAMP:
      return Value::TimestampMillis(pn_data_get_timestamp(data));
    case PN_BINARY:
      return Value::Binary(FromPn(pn_data_get_binary(data)));
    case PN_STRING:
      return Value(FromPn(pn_data_get_string(data)));
    case PN_SYMBOL:
      return Value::Symbol(FromPn(pn_data_get_symbol(data)));
    case PN_UUID: {
      const pn_uuid_t u = pn_data_get_uuid(data);
      Uuid uuid;
      std::memcpy(uuid.data(), u.bytes, sizeof u.bytes);
      return Value(uuid);
    }
    default:
      FAIL("a type that this test does not compare");
      return Value();
  }
}

TEST_CASE("Proton finds the same number or text in what we write") {
  for (const Vector& v : Vectors()) {
    switch (v.value.type()) {
      case Type::kDecimal32:
      case Type::kDecimal64:
      case Type::kDecimal128:
        continue;  // compared by their bytes above
      default:
        break;
    }
    const Data data(pn_data(4));
    const std::string bytes = Encoded(v.value);
    INFO(Hex(bytes));
    REQUIRE(pn_data_decode(data.get(), bytes.data(), bytes.size()) > 0);
    pn_data_rewind(data.get());
    REQUIRE(pn_data_next(data.get()));
    CHECK(FromAtom(data.get()) == v.value);
  }
}

PnMessage Decode(std::string_view bytes) {
  PnMessage m(pn_message());
  INFO(Hex(bytes));
  REQUIRE(pn_message_decode(m.get(), bytes.data(), bytes.size()) == 0);
  return m;
}

TEST_CASE("Proton finds every field of the messages that we encode") {
  Message sent = FullMessage();
  sent.set_property("only", Value("x"));
  const auto bytes = amqp::wire::EncodeToBytes(sent, {});
  REQUIRE(bytes.ok());
  const PnMessage m = Decode(bytes->view());
  pn_message_t* const p = m.get();
  CHECK_FALSE(pn_message_is_durable(p));
  CHECK(pn_message_get_priority(p) == 9);
  CHECK(pn_message_get_ttl(p) == 123456);
  CHECK(FromPn(pn_message_get_id(p).u.as_bytes) == "id-1");
  CHECK(FromPn(pn_message_get_user_id(p)) == sent.user_id());
  CHECK(std::string(pn_message_get_address(p)) == "to");
  CHECK(std::string(pn_message_get_subject(p)) == "subject");
  CHECK(std::string(pn_message_get_reply_to(p)) == "reply-to");
  CHECK(FromPn(pn_message_get_correlation_id(p).u.as_bytes) == "c-1");
  CHECK(std::string(pn_message_get_content_type(p)) == "application/json");
  CHECK(std::string(pn_message_get_content_encoding(p)) == "gzip");
  CHECK(pn_message_get_expiry_time(p) == 1800000000456);
  CHECK(pn_message_get_creation_time(p) == 1700000000123);
  CHECK(std::string(pn_message_get_group_id(p)) == "charger-17");
  CHECK(pn_message_get_group_sequence(p) == 7);
  CHECK(std::string(pn_message_get_reply_to_group_id(p)) == "reply-key");

  pn_data_t* body = pn_message_body(p);
  pn_data_rewind(body);
  REQUIRE(pn_data_next(body));
  CHECK(FromPn(pn_data_get_binary(body)) == "the body");

  pn_data_t* properties = pn_message_properties(p);
  pn_data_rewind(properties);
  REQUIRE(pn_data_next(properties));
  size_t simple = 0;
  for (const Property& property : sent.properties()) {
    simple += IsComposite(property.value) ? 0 : 1;
  }
  CHECK(pn_data_get_map(properties) == 2 * simple);
  pn_data_t* annotations = pn_message_annotations(p);
  pn_data_rewind(annotations);
  REQUIRE(pn_data_next(annotations));
  // Two of the message's, time, partition and composites.
  CHECK(pn_data_get_map(annotations) == 2 * 5);
}

std::string Encode(pn_message_t* m) {
  std::string bytes(4096, '\0');
  size_t size = bytes.size();
  REQUIRE(pn_message_encode(m, bytes.data(), &size) == 0);
  bytes.resize(size);
  return bytes;
}

TEST_CASE("we find every field of the messages that Proton encodes") {
  const PnMessage owner(pn_message());
  pn_message_t* const p = owner.get();
  pn_message_set_durable(p, true);
  pn_message_set_priority(p, 8);
  pn_message_set_ttl(p, 5000);
  pn_message_set_first_acquirer(p, true);
  pn_message_set_delivery_count(p, 2);
  pn_msgid_t id;
  id.type = PN_ULONG;
  id.u.as_ulong = 12345678901234567890u;
  pn_message_set_id(p, id);
  pn_uuid_t uuid;
  std::memset(uuid.bytes, 0xab, sizeof uuid.bytes);
  id.type = PN_UUID;
  id.u.as_uuid = uuid;
  pn_message_set_correlation_id(p, id);
  pn_message_set_user_id(p, ToPn("me"));
  pn_message_set_address(p, "to");
  pn_message_set_subject(p, "subject");
  pn_message_set_reply_to(p, "reply-to");
  pn_message_set_content_type(p, "text/plain");
  pn_message_set_content_encoding(p, "br");
  pn_message_set_expiry_time(p, 1800000000456);
  pn_message_set_creation_time(p, 1700000000123);
  pn_message_set_group_id(p, "group");
  pn_message_set_group_sequence(p, 9);
  pn_message_set_reply_to_group_id(p, "rg");
  pn_data_t* properties = pn_message_properties(p);
  pn_data_put_map(properties);
  pn_data_enter(properties);
  pn_data_put_string(properties, ToPn("n"));
  pn_data_put_int(properties, -7);
  pn_data_exit(properties);
  pn_data_t* annotations = pn_message_annotations(p);
  pn_data_put_map(annotations);
  pn_data_enter(annotations);
  pn_data_put_symbol(annotations, ToPn("x-opt-a"));
  pn_data_put_ubyte(annotations, 3);
  pn_data_exit(annotations);
  pn_message_set_inferred(p, true);
  pn_data_put_binary(pn_message_body(p), ToPn("body"));

  amqp::wire::DeliveryFacts facts;
  const auto m = amqp::wire::DecodeMessage(Bytes::Copy(Encode(p)), &facts);
  REQUIRE(m.ok());
  CHECK(facts.delivery_count == 2);
  CHECK(facts.first_acquirer);
  Message expected("body");
  expected.set_durable(true).set_priority(8).set_ttl(absl::Seconds(5));
  expected.set_id("12345678901234567890", Type::kULong);
  expected.set_correlation_id("abababab-abab-abab-abab-abababababab",
                              Type::kUuid);
  expected.set_user_id("me").set_to("to").set_subject("subject");
  expected.set_reply_to("reply-to").set_content_type("text/plain");
  expected.set_content_encoding("br").set_key("group");
  expected.set_expires(absl::FromUnixMillis(1800000000456));
  expected.set_created(absl::FromUnixMillis(1700000000123));
  expected.set_group_sequence(9).set_reply_to_key("rg");
  expected.set_property("n", Value(int32_t{-7}));
  expected.set_annotation("x-opt-a", Value::Unsigned(Type::kUByte, 3));
  CHECK(Difference(expected, *m) == "");
}

TEST_CASE("Proton's ways of encoding a body are all read") {
  const auto received = [](bool inferred, const Value& value) {
    const PnMessage m(pn_message());
    pn_message_set_inferred(m.get(), inferred);
    const std::string bytes = Encoded(value);
    REQUIRE(pn_data_decode(pn_message_body(m.get()), bytes.data(),
                           bytes.size()) > 0);
    auto got = amqp::wire::DecodeMessage(Bytes::Copy(Encode(m.get())), nullptr);
    REQUIRE(got.ok());
    return *got;
  };
  CHECK(received(true, Value::Binary("b")).body_kind() == BodyKind::kData);
  const Message binary = received(false, Value::Binary("b"));
  CHECK(binary.body_kind() == BodyKind::kValue);
  CHECK(binary.body_view() == "b");
  CHECK(received(false, Value("text")).body_view() == "text");
  const Value list = Value::Composite(Type::kList, Bin("c0 03 02 40 41"));
  CHECK(received(true, list).body_kind() == BodyKind::kSequence);
  CHECK(received(false, list).body_kind() == BodyKind::kValue);
}

}  // namespace
}  // namespace tieline::amqp_codec_test
