#include "tools/ndjson.h"

#include <limits>
#include <string>

#include "lib/base/status.h"
#include "tests/support/catch.h"
#include "tieline/driver/message_access.h"

namespace tieline::tools {
namespace {

Message Parsed(const std::string& line) {
  auto message = FromJsonLine(line);
  INFO(line);
  INFO(message.status().ToString());
  REQUIRE(message.ok());
  return *std::move(message);
}

// What a line is again once it has been a message.
std::string Again(const std::string& line) { return ToJsonLine(Parsed(line)); }

std::string Fault(const std::string& line) {
  const auto message = FromJsonLine(line);
  INFO(line);
  REQUIRE_FALSE(message.ok());
  return std::string(MessageOf(message.status()));
}

TEST_CASE("bodies of every kind survive a line of JSON") {
  for (const char* line :
       {R"({"body":"text with \"quotes\" and ünicode"})", R"({"body":""})",
        R"({"body":null})", R"({"body_base64":"/wD+"})",
        R"({"body_value":"a string"})", R"({"body_value":5})",
        R"({"body_value":{"type":"uint","value":"5"}})",
        R"({"body_sequence":{"type":"list","value":"RQ=="}})"}) {
    CHECK(Again(line) == line);
  }
  CHECK(Parsed(R"({"body":null})").body_kind() == BodyKind::kNull);
  CHECK(Parsed(R"({"body":""})").body_kind() == BodyKind::kData);
  CHECK(Parsed(R"({"body_base64":"/wD+"})").body_view() ==
        std::string_view("\xff\x00\xfe", 3));
}

TEST_CASE("every field survives a line of JSON") {
  const std::string line =
      R"({"id":"7","id_type":"ulong","key_base64":"/w==","subject":"s",)"
      R"("content_type":"application/json","content_encoding":"gzip",)"
      R"("to":"t","reply_to":"r","reply_to_key":"k","user_id":"u",)"
      R"("correlation_id":"c","group_sequence":9,"priority":7,)"
      R"("durable":false,"ttl_ms":60000,"created":"2026-01-31T12:00:00+00:00",)"
      R"("expires":"2026-01-31T12:01:00+00:00",)"
      R"("deliver_at":"2026-01-31T12:00:30.5+00:00","partition":3,)"
      R"("body":"b","properties":{"p":1},"annotations":{"x-a":"1"},)"
      R"("footer":{"f":true}})";
  CHECK(Again(line) == line);
}

TEST_CASE("values of every type survive a line of JSON") {
  Message message("b");
  const std::array<uint8_t, 16> raw = {1, 2,  3,  4,  5,  6,  7,  8,
                                       9, 10, 11, 12, 13, 14, 15, 16};
  int n = 0;
  for (const Value& value : {Value(),
                             Value(true),
                             Value::Unsigned(Type::kUByte, 255),
                             Value::Unsigned(Type::kUShort, 65535),
                             Value(uint32_t{5}),
                             Value(std::numeric_limits<uint64_t>::max()),
                             Value::Signed(Type::kByte, -128),
                             Value::Signed(Type::kShort, -5),
                             Value(int32_t{-5}),
                             Value(std::numeric_limits<int64_t>::min()),
                             Value(1.5f),
                             Value(0.1),
                             Value(1.0),
                             Value(std::numeric_limits<double>::infinity()),
                             Value::Decimal(Type::kDecimal64, raw),
                             Value::Unsigned(Type::kChar, 0x1f600),
                             Value::TimestampMillis(1234567),
                             Value(Uuid(raw)),
                             Value::Binary(std::string_view("\0\xff", 2)),
                             Value("text"),
                             Value(std::string("\xff not text")),
                             Value::Symbol("sym"),
                             Value::Composite(Type::kMap, "\xc1\x01\x00")}) {
    message.set_property("p" + std::to_string(n++), value);
  }
  message.set_property("name \xff", Value(int64_t{5}));
  const Message again = Parsed(ToJsonLine(message));
  for (const Property& property : message.properties()) {
    INFO(property.name);
    const Value* value = again.properties().Find(property.name);
    REQUIRE(value != nullptr);
    CHECK(*value == property.value);
  }
  CHECK(again.properties().size() == message.properties().size());
}

TEST_CASE("natural JSON makes the natural types") {
  const Message message = Parsed(
      R"({"body":"b","properties":{"s":"x","l":5,"n":-5,"d":1.5,"e":1e3,)"
      R"("t":true,"z":null,"u":18446744073709551615}})");
  const Properties& p = message.properties();
  CHECK(*p.Find("s") == Value("x"));
  CHECK(*p.Find("l") == Value(int64_t{5}));
  CHECK(*p.Find("n") == Value(int64_t{-5}));
  CHECK(*p.Find("d") == Value(1.5));
  CHECK(*p.Find("e") == Value(1000.0));
  CHECK(*p.Find("t") == Value(true));
  CHECK(*p.Find("z") == Value());
  CHECK(*p.Find("u") == Value(std::numeric_limits<uint64_t>::max()));
}

TEST_CASE("what is not a message is refused with a reason") {
  CHECK(Fault("hello") == "expected a JSON object, such as {\"body\":\"hi\"}");
  CHECK(Fault("[1]").find("expected a JSON object") == 0);
  CHECK(Fault(R"({"body":"b")").find("expected a JSON object") == 0);
  CHECK(Fault(R"({"bdy":"b"})") ==
        "unknown member \"bdy\"; did you mean \"body\"?");
  CHECK(Fault(R"({"body":5})") == "\"body\": expected text");
  CHECK(Fault(R"({"body_base64":"*"})").find("\"body_base64\"") == 0);
  CHECK(Fault(R"({"body":"b","priority":256})").find("\"priority\"") == 0);
  CHECK(Fault(R"({"body":"b","priority":-1})").find("\"priority\"") == 0);
  CHECK(Fault(R"({"body":"b","created":"noon"})").find("\"created\"") == 0);
  CHECK(Fault(R"({"body":"b","durable":1})").find("\"durable\"") == 0);
  CHECK(Fault(R"({"body":"b","id_type":"int"})").find("\"id_type\"") == 0);
  CHECK(Fault(R"({"body":"b","properties":[1]})").find("\"properties\"") == 0);
  CHECK(Fault(R"({"body":"b","properties":{"p":[1]}})")
            .find("\"properties.p\"") == 0);
  CHECK(Fault(R"({"body":"b","properties":{"p":{"type":"lnog","value":"5"}}})")
            .find("\"properties.p\": unknown type") == 0);
  CHECK(Fault("{\"body\":" + std::string(1000, '[')).size() < 200);
  CHECK(Fault("{\"a\":" + std::string(20, '[') + std::string(20, ']') + "}")
            .find("nested too deep") == 0);
}

TEST_CASE("a message line is told from a body that is JSON") {
  CHECK(LooksLikeMessage(R"({"body":"b"})"));
  CHECK(LooksLikeMessage(R"({"key":"k","body_base64":""})"));
  CHECK_FALSE(LooksLikeMessage(R"({"order":5,"body":"b"})"));
  CHECK_FALSE(LooksLikeMessage(R"({"id":"5"})"));
  CHECK_FALSE(LooksLikeMessage("hello"));
  CHECK_FALSE(LooksLikeMessage(""));
}

TEST_CASE("UTF-8 is told from other bytes") {
  for (const char* text : {"", "plain", "ü", "€", "😀", "\xef\xbf\xbf"}) {
    CHECK(IsUtf8(text));
  }
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xff"}) {
    CHECK_FALSE(IsUtf8(text));
  }
}

}  // namespace
}  // namespace tieline::tools
