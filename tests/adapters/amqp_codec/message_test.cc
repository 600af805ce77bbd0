#include <string>

#include "adapters/amqp/wire/message_codec.h"
#include "tests/adapters/amqp_codec/samples.h"
#include "tests/support/catch.h"

namespace tieline::amqp_codec_test {
namespace {

using amqp::wire::CheckMessage;
using amqp::wire::DecodeMessage;
using amqp::wire::DeliveryFacts;
using amqp::wire::EncodeMessage;
using amqp::wire::EncodeOptions;
using amqp::wire::EncodeToBytes;
using amqp::wire::Scheduling;
using amqp::wire::Writer;

std::string Sent(const Message& message, const EncodeOptions& options = {}) {
  const absl::StatusOr<Bytes> bytes = EncodeToBytes(message, options);
  INFO(bytes.status().message());
  REQUIRE(bytes.ok());
  return std::string(bytes->view());
}

Message Received(std::string_view bytes, DeliveryFacts* facts = nullptr) {
  INFO(Hex(bytes));
  const absl::StatusOr<Message> message =
      DecodeMessage(Bytes::Copy(bytes), facts);
  INFO(message.status().message());
  REQUIRE(message.ok());
  return *message;
}

TEST_CASE("a message of every field and type arrives as it was sent") {
  const Message sent = FullMessage();
  CHECK(Difference(sent, Received(Sent(sent))) == "");
}

TEST_CASE("a plain message is encoded byte for byte as the standard says") {
  CHECK(Hex(Sent(Message("abc"))) ==
        "005370c0020141"    // header: durable
        "005375a003616263"  // data
  );
  Message m("");
  m.set_key("k").set_id("i").set_priority(3).set_ttl(absl::Seconds(1));
  CHECK(Hex(Sent(m)) ==
        "005370c00903415003"  // durable, priority 3,
        "70000003e8"          // ttl 1000
        "005373c0100ba10169404040404040404040a1016b"
        "005375a000");
}

TEST_CASE("the delivery count is written when it counts or is asked for") {
  EncodeOptions options;
  options.always_delivery_count = true;
  CHECK(Hex(Sent(Message(""), options)).substr(0, 24) ==
        "005370c00605414040"
        "4043"
        "00");
  options.delivery_count = 2;
  DeliveryFacts facts;
  Received(Sent(Message(""), options), &facts);
  CHECK(facts.delivery_count == 2);
}

TEST_CASE("every kind of body keeps its kind") {
  for (const Message& body :
       {Message(), Message(""), Message("x"), Message(std::string(100000, 'b')),
        Message().set_value_body(Value("text")),
        Message().set_value_body(Value::Binary("\x01")),
        Message().set_value_body(Value(int64_t{-5})),
        Message().set_value_body(Value::Composite(Type::kMap, Bin("c10100"))),
        Message().set_sequence_body(
            Value::Composite(Type::kList, Bin("c0 04 02 40 54 01")))}) {
    const Message got = Received(Sent(body));
    CHECK(got.body_kind() == body.body_kind());
    CHECK(Difference(body, got).find("body") == std::string::npos);
  }
}

TEST_CASE("a string value's text is the body, without a copy of the message") {
  const Message m = Received(Bin("00 53 77 a1 05 48656c6c6f"));
  CHECK(m.body_kind() == BodyKind::kValue);
  CHECK(m.body_view() == "Hello");
}

TEST_CASE("several data sections are joined, and passed on as they were") {
  const std::string bytes =
      Bin("00 53 73 c0 0e 0b 40 40 40 40 40 40 40 40 40 40 a1 01 6b"
          "00 53 75 a0 02 6162 00 53 75 a0 00 00 53 75 a0 01 63");
  const Message m = Received(bytes);
  CHECK(m.body_view() == "abc");
  CHECK(m.key() == "k");
  CHECK(Hex(Sent(m)) == "005370c0020141" + Hex(bytes));
  CHECK(m.body().view() == "abc");
}

TEST_CASE("several sequences become one list") {
  const Message m =
      Received(Bin("00 53 76 c0 02 01 41 00 53 76 45 00 53 76 c0 03 02 42 43"));
  CHECK(m.body_kind() == BodyKind::kSequence);
  CHECK(Hex(m.body_value().text()) == "c00403414243");
}

TEST_CASE("keys of any bytes arrive as they were") {
  for (const std::string& key :
       {std::string("charger-17"), std::string(), std::string("\xff\xfe"),
        std::string("a\0b", 3), std::string("tieline:b64:"),
        std::string("tieline:b64:YQ=="), std::string("caf\xc3\xa9"),
        std::string(300, '\x80')}) {
    Message m("body");
    m.set_key(key);
    const Message got = Received(Sent(m));
    INFO(Hex(key));
    CHECK(got.has(Field::kKey));
    CHECK(got.key() == key);
    CHECK(got.body_view() == "body");
    // Again from a message that has been received and changed.
    CHECK(Received(Sent(Message(got).set_subject("s"))).key() == key);
  }
  CHECK_FALSE(Received(Sent(Message("x"))).has(Field::kKey));
}

TEST_CASE("a foreign group id that only looks escaped is the key itself") {
  for (const std::string id : {"tieline:b64:!", "tieline:b64:YWJj"}) {
    const std::string bytes =
        Bin("00 53 73 c0") + static_cast<char>(13 + id.size()) +
        Bin("0b 40404040404040404040 a1") + static_cast<char>(id.size()) + id;
    CHECK(Received(bytes).key() == id);
  }
}

TEST_CASE("ids keep their types, and what does not fit is text") {
  const auto sent = [](std::string_view id, Type type) {
    const Message got = Received(Sent(Message("x").set_id(id, type)));
    CHECK(got.id() == id);
    return got.id_type();
  };
  CHECK(sent("18446744073709551615", Type::kULong) == Type::kULong);
  CHECK(sent("0", Type::kULong) == Type::kULong);
  CHECK(sent("007", Type::kULong) == Type::kString);
  CHECK(sent("18446744073709551616", Type::kULong) == Type::kString);
  CHECK(sent("00112233-4455-6677-8899-aabbccddeeff", Type::kUuid) ==
        Type::kUuid);
  CHECK(sent("00112233-4455-6677-8899-AABBCCDDEEFF", Type::kUuid) ==
        Type::kString);
  CHECK(sent("\x01\xff", Type::kBinary) == Type::kBinary);
  CHECK(sent("\x01\xff", Type::kString) == Type::kBinary);
  CHECK(sent("", Type::kString) == Type::kString);
}

TEST_CASE("the delivery time is named as the broker wants it, read as either") {
  const absl::Time when = absl::FromUnixMillis(1750000000789);
  const Message m = Message("x").set_deliver_at(when);
  EncodeOptions bus;
  bus.scheduling = Scheduling::kScheduledEnqueueTime;
  const std::string artemis = Sent(m);
  const std::string service_bus = Sent(m, bus);
  CHECK(artemis.find("x-opt-delivery-time") != std::string::npos);
  CHECK(service_bus.find("x-opt-scheduled-enqueue-time") != std::string::npos);
  for (const std::string& bytes : {artemis, service_bus}) {
    const Message got = Received(bytes);
    CHECK(got.deliver_at() == when);
    CHECK(got.annotations().empty());
    CHECK(Hex(Sent(Received(bytes))) == Hex(artemis));
    CHECK(Hex(Sent(Received(bytes), bus)) == Hex(service_bus));
  }
}

TEST_CASE("a user id may travel as an annotation, and arrives all the same") {
  EncodeOptions rabbit;
  rabbit.for_rabbitmq = true;
  const Message m = FullMessage();
  const std::string bytes = Sent(m, rabbit);
  CHECK(bytes.find("x-opt-tieline-user-id") != std::string::npos);
  CHECK(Difference(m, Received(bytes)) == "");
  // Passing on moves it too, there and back.
  const std::string passed = Sent(Received(Sent(m)), rabbit);
  CHECK(passed.find("x-opt-tieline-user-id") != std::string::npos);
  CHECK(Difference(m, Received(passed)) == "");
  Message none = m;
  none.clear(Field::kUserId);
  CHECK(Sent(none, rabbit).find("user-id") == std::string::npos);
  CHECK(Difference(none, Received(Sent(Received(Sent(none)), rabbit))) == "");
}

TEST_CASE("a composite body may travel as data, and arrives all the same") {
  EncodeOptions rabbit;
  rabbit.for_rabbitmq = true;
  for (const Value& value : EveryValue()) {
    if (value.is_null()) continue;  // arrives as no body
    // A header is always sent, and says that it is durable.
    const Message m =
        Message().set_value_body(value).set_subject("s").set_durable(true);
    const std::string bytes = Sent(m, rabbit);
    const bool marked = bytes.find("x-opt-tieline-body") != std::string::npos;
    CHECK(marked == (value.type() >= Type::kList));
    CHECK(Difference(m, Received(bytes)) == "");
    // Passing on wraps and unwraps it.
    CHECK(Sent(Received(Sent(m)), rabbit) == bytes);
    CHECK(Sent(Received(bytes)) == Sent(m));
    CHECK(Received(bytes).annotations().empty());
  }
}

TEST_CASE("a mark on data that is no value, or in pieces, means nothing") {
  const std::string mark = Bin("00 53 72 c1 1a 02 a3 12") +
                           "x-opt-tieline-body" + Bin("a3 03 666f6f");
  const Message one = Received(mark + Bin("00 53 75 a0 02 4141"));
  CHECK(one.body_kind() == BodyKind::kData);
  CHECK(one.body_value().is_null());
  const Message two = Received(
      mark + Bin("00 53 75 a0 01 41 00 53 75 a0 01 41 00 53 78 c1 01 00"));
  CHECK(two.body_kind() == BodyKind::kData);
  CHECK(two.body_view() == "AA");
  CHECK(two.body_value().is_null());
  const Message held = Received(mark + Bin("00 53 75 a0 01 41"));
  CHECK(held.body_kind() == BodyKind::kValue);
  CHECK(held.body_value() == Value(true));
}

TEST_CASE("an unchanged message is passed on but for its header") {
  // durable, priority 7, ttl 5, first-acquirer, delivery-count 3
  const std::string header = Bin("00 53 70 c0 09 05 41 50 07 52 05 41 52 03");
  // lock token, which is for this hop alone
  const std::string hop = Bin("00 53 71 c1 05 02 a3 01 78 41");
  const std::string bare =
      Bin("00 53 72 c1 05 02 a3 01 61 41"     // message annotations
          "00 53 73 c0 04 01 a1 01 69"        // id
          "00 53 74 c1 06 02 a1 01 70 56 01"  // a long form of true
          "00 53 75 b0 00000001 62"           // a long form of binary
          "00 53 78 c1 05 02 a3 01 66 41");   // footer
  const std::string whole = header + hop + bare;
  DeliveryFacts facts;
  const Message m = Received(whole, &facts);
  CHECK(facts.delivery_count == 3);
  CHECK(facts.has_first_acquirer);
  CHECK(facts.first_acquirer);
  CHECK(facts.priority == 7);
  CHECK(Hex(Sent(m)) ==
        "005370c0060341500752"
        "05" +
            Hex(bare));

  Writer writer;
  Bytes rest;
  EncodeOptions options;
  options.inline_limit = 4;
  REQUIRE(EncodeMessage(m, options, &writer, &rest).ok());
  CHECK(Hex(rest.view()) == Hex(bare));
  CHECK(Hex(writer.view()) == "005370c006034150075205");
}

TEST_CASE("a changed message keeps what was not changed") {
  const Message original = FullMessage();
  Message m = Received(Sent(original));
  m.set_property("new", Value(true));
  m.set_key("other");
  Message expected = original;
  expected.set_property("new", Value(true)).set_key("other");
  CHECK(Difference(expected, Received(Sent(m))) == "");
}

TEST_CASE("a large body is left to the caller as a slice") {
  const std::string body(100000, 'b');
  Writer writer;
  Bytes rest;
  const Message m{Bytes::Copy(body)};
  REQUIRE(EncodeMessage(m, {}, &writer, &rest).ok());
  CHECK(Hex(writer.view()) == "005370c0020141005375b0000186a0");
  CHECK(rest.data() == m.body_view().data());
  CHECK(rest.size() == body.size());
}

TEST_CASE("a received body points into the received bytes") {
  const std::string body(1000, 'b');
  const Bytes bytes = Bytes::Take(Sent(Message(body)));
  const auto m = DecodeMessage(bytes, nullptr);
  REQUIRE(m.ok());
  CHECK(m->body_view().data() >= bytes.data());
  CHECK(m->body_view().data() < bytes.data() + bytes.size());
}

TEST_CASE("Service Bus's facts are read with the message") {
  Message m("x");
  m.set_annotation("x-opt-sequence-number", Value(int64_t{1} << 40));
  m.set_annotation("x-opt-locked-until", Value::TimestampMillis(1234567));
  DeliveryFacts facts;
  Received(Sent(m), &facts);
  CHECK(facts.sequence_number == int64_t{1} << 40);
  CHECK(facts.locked_until_ms == 1234567);
  Received(Sent(Message("x")), &facts);
  CHECK(facts.sequence_number == -1);
  CHECK(facts.locked_until_ms == 0);
}

TEST_CASE("composite properties travel beside the application properties") {
  Message m("x");
  m.set_property("list", Value::Composite(Type::kList, Bin("45")));
  m.set_property("n", Value(int64_t{1}));
  const std::string bytes = Sent(m);
  CHECK(bytes.find("x-opt-tieline-properties") != std::string::npos);
  const Message got = Received(bytes);
  CHECK(got.annotations().empty());
  CHECK(got.properties() == m.properties());
}

TEST_CASE("of several properties with one name the first counts") {
  std::string entries;
  for (int i = 0; i < 100; ++i) {
    entries += Bin("a1 01 61 54") + static_cast<char>(i);
  }
  const std::string bytes = Bin("00 53 74 d1 000001f8 000000c8") + entries;
  const Message m = Received(bytes);
  REQUIRE(m.properties().size() == 1);
  CHECK(m.properties().Find("a")->AsInt64() == 0);
}

TEST_CASE("sections may be described in long and in symbols") {
  const Message m = Received(Bin("00 80 0000000000000074 c1 05 02 a1 01 61 41"
                                 "00 a3 10") +
                             "amqp:data:binary" + Bin("a0 01 62"));
  CHECK(m.body_view() == "b");
  CHECK(m.properties().Find("a")->AsBool() == true);
}

TEST_CASE("what AMQP can't carry is refused by name, and nothing is written") {
  const auto refusal = [](const Message& m) {
    Writer writer;
    Bytes rest;
    const absl::Status status = EncodeMessage(m, {}, &writer, &rest);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(writer.empty());
    CHECK(rest.empty());
    return std::string(status.message());
  };
  const auto names = [&](const Message& m, std::string_view what) {
    const std::string text = refusal(m);
    INFO(text);
    return text.find(what) != std::string::npos;
  };
  CHECK(names(Message("x").set_subject("\xff"), "subject"));
  CHECK(names(Message("x").set_content_type("caf\xc3\xa9"), "content type"));
  CHECK(names(Message("x").set_property("p", Value("\xff")), "property \"p\""));
  CHECK(names(Message("x").set_property("\xff", Value(1)), "property"));
  CHECK(names(Message("x").set_annotation("\xc3\xa9", Value(1)), "annotation"));
  CHECK(names(Message("x").set_property(
                  "c", Value::Composite(Type::kMap, Bin("c1 02 01 40"))),
              "property \"c\""));
  CHECK(names(Message().set_sequence_body(Value(1)), "sequence"));
  CHECK(names(Message().set_value_body(Value("\xff")), "value body"));
}

TEST_CASE("a message cut short anywhere is refused or lacks later sections") {
  const std::string bytes = Sent(FullMessage());
  size_t whole = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    const std::string cut = bytes.substr(0, n);
    const auto m = DecodeMessage(Bytes::Copy(cut), nullptr);
    CHECK(m.ok() == CheckMessage(cut).ok());
    if (!m.ok()) continue;
    ++whole;
    m->properties();
  }
  // Between the sections: nothing, header, annotations, properties,
  // application properties, body.
  CHECK(whole == 6);
}

TEST_CASE("any single byte may be wrong without harm") {
  std::string bytes = Sent(FullMessage());
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char right = bytes[i];
    for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
      bytes[i] = static_cast<char>(right ^ flip);
      const auto m = DecodeMessage(Bytes::Copy(bytes), nullptr);
      if (!m.ok()) {
        ++refused;
        continue;
      }
      // Everything is there to be read, and can be sent or refused.
      Message changed = *m;
      changed.set_subject("changed");
      const auto again = EncodeToBytes(changed, {});
      if (again.ok()) CHECK(CheckMessage(again->view()).ok());
    }
    bytes[i] = right;
  }
  CHECK(refused > bytes.size() / 2);
}

TEST_CASE("messages that begin alike are read as if each came alone") {
  Message plain("body");
  plain.set_id("1").set_key("k").set_priority(3);
  Message noted = plain;
  noted.set_annotation("x-opt-a", Value(1)).set_annotation("x-b", Value("b"));
  Message other = noted;
  other.set_id("2").set_priority(4);
  Message value;
  value.set_value_body(Value(7));
  Message large("body");
  large.set_annotation("x-opt-large", Value(std::string(200, 'l')));
  EncodeOptions again;
  again.delivery_count = 3;
  std::vector<std::string> all = {
      Sent(FullMessage()), Sent(plain), Sent(noted), Sent(noted, again),
      Sent(other),         Sent(value), Sent(large), Bin("005375a003616263"),
      std::string()};
  // Ones that go wrong, early and late.
  all.push_back(Sent(noted).substr(0, 8));
  all.push_back(Sent(noted).substr(0, Sent(noted).size() - 1));
  all.push_back(Sent(noted) + Bin("005370c00141"));
  all.push_back(Bin("005370c0020141") + Sent(noted));
  size_t refused = 0;
  for (const std::string& first : all) {
    for (const std::string& second : all) {
      INFO(Hex(first) << " then " << Hex(second));
      amqp::wire::Preamble seen;
      DeliveryFacts facts;
      DeliveryFacts alone_facts;
      DecodeMessage(Bytes::Copy(first), &facts, {}, &seen).IgnoreError();
      const auto behind = DecodeMessage(Bytes::Copy(second), &facts, {}, &seen);
      const auto alone = DecodeMessage(Bytes::Copy(second), &alone_facts);
      CHECK(behind.status() == alone.status());
      refused += alone.ok() ? 0 : 1;
      if (!alone.ok() || !behind.ok()) continue;
      CHECK(facts == alone_facts);
      CHECK(Difference(*behind, *alone) == "");
    }
  }
  CHECK(refused == 4 * all.size());
}

TEST_CASE("malformed messages are refused with the place") {
  const auto refusal = [](std::string_view hex) {
    const std::string bytes = Bin(hex);
    const auto m = DecodeMessage(Bytes::Copy(bytes), nullptr);
    CHECK(m.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(CheckMessage(bytes) == m.status());
    return std::string(m.status().message());
  };
  CHECK(refusal("41") ==
        "malformed AMQP message: no whole section at byte 0 of 1");
  CHECK(refusal("00 53 75 a0 01 61 00 53 70 45") ==
        "malformed AMQP message: a section out of its order at byte 6 of 10");
  for (const char* hex : {
           "00 53 77 41 00 53 77 41",              // two values
           "00 53 75 a0 00 00 53 76 45",           // data, then sequence
           "00 53 70 45 00 53 70 45",              // two headers
           "00 53 75 a1 00",                       // data that is a string
           "00 53 70 c1 01 00",                    // a header that is a map
           "00 53 70 c0 02 01 52 05",              // durable: 5
           "00 53 70 c0 07 06 40 40 40 40 40 40",  // six header fields
           "00 53 74 c1 04 02 52 01 41",           // a property called 1
           "00 53 74 c1 03 02 a1 00",              // a property without a value
           "00 53 72 c1 02 01 41",                 // half an annotation
           "00 53 73 c0 10 0f 404040404040404040404040404040",
           "00 53 73 c0 02 01 3f",  // an unknown constructor
           "00 53 76 c0 02 02 41",
           "00 53 76 45 00 53 76 c0 02 02 41",  // the second sequence
           "00 53 77 c0 02 02 41",
           "00 53 79 45",  // an unknown section
           "00 53 75",
           "00 53",
           "00",
       }) {
    INFO(hex);
    CHECK_FALSE(refusal(hex).empty());
  }
}

TEST_CASE("a subject that is the broker's is left out") {
  Message sent("body");
  sent.set_subject("orders");
  sent.set_key("k");
  sent.set_property("tenant", "acme");
  const auto bytes = EncodeToBytes(sent, {});
  REQUIRE(bytes.ok());
  const auto as_sent = DecodeMessage(*bytes, nullptr, "others");
  REQUIRE(as_sent.ok());
  CHECK(as_sent->subject() == "orders");
  const auto without = DecodeMessage(*bytes, nullptr, "orders");
  REQUIRE(without.ok());
  CHECK_FALSE(without->has(Field::kSubject));
  CHECK(without->subject().empty());
  CHECK(without->key() == "k");
  REQUIRE(without->properties().Find("tenant") != nullptr);
  // Nor is it passed on with the bytes that came.
  const auto again = EncodeToBytes(*without, {});
  REQUIRE(again.ok());
  const auto passed_on = DecodeMessage(*again, nullptr);
  REQUIRE(passed_on.ok());
  CHECK_FALSE(passed_on->has(Field::kSubject));
  CHECK(passed_on->body_view() == "body");
}

TEST_CASE("a message without a body is taken for a null body") {
  CHECK(Received("").body_kind() == BodyKind::kNull);
  CHECK(Received(Bin("00 53 70 45")).body_kind() == BodyKind::kNull);
}

}  // namespace
}  // namespace tieline::amqp_codec_test
