#include "adapters/kafka/header_mapping.h"

#include <string>
#include <vector>

#include "adapters/kafka/utf8.h"
#include "tests/support/catch.h"

namespace tieline::kafka {
namespace {

using namespace std::string_literals;

std::vector<Header> Encoded(HeaderList* list, const MessageFields& fields,
                            BodyKind kind = BodyKind::kData) {
  list->Encode(fields, kind);
  std::vector<Header> headers;
  for (size_t i = 0; i < list->size(); ++i) headers.push_back(list->at(i));
  return headers;
}

MessageFields RoundTrip(const MessageFields& fields) {
  HeaderList list;
  MessageFields back;
  DecodeHeaders(Encoded(&list, fields), &back);
  return back;
}

std::string_view Find(const std::vector<Header>& headers,
                      std::string_view name) {
  for (const Header& h : headers) {
    if (h.name == name) return h.value;
  }
  return "<none>";
}

TEST_CASE("standard fields come back as they were") {
  MessageFields f;
  f.id = "id-1";
  f.mark(Field::kId);
  f.correlation_id = "42";
  f.correlation_id_type = Type::kULong;
  f.mark(Field::kCorrelationId);
  f.subject = "boot";
  f.mark(Field::kSubject);
  f.content_type = "application/json";
  f.mark(Field::kContentType);
  f.content_encoding = "";
  f.mark(Field::kContentEncoding);
  f.user_id = "\xff\x00\x01"s;
  f.mark(Field::kUserId);
  f.priority = 9;
  f.mark(Field::kPriority);
  f.durable = false;
  f.mark(Field::kDurable);
  f.group_sequence = 4000000000u;
  f.mark(Field::kGroupSequence);
  f.ttl = absl::Milliseconds(int64_t{1} << 40);
  f.mark(Field::kTtl);
  f.expires = absl::FromUnixMillis(1700000000123);
  f.mark(Field::kExpires);
  f.deliver_at = absl::FromUnixMillis(1);
  f.mark(Field::kDeliverAt);

  const MessageFields back = RoundTrip(f);
  CHECK(back.present == f.present);
  CHECK(back.id == "id-1");
  CHECK(back.correlation_id == "42");
  CHECK(back.correlation_id_type == Type::kULong);
  CHECK(back.subject == "boot");
  CHECK(back.content_type == "application/json");
  CHECK(back.content_encoding.empty());
  CHECK(back.user_id == f.user_id);
  CHECK(back.priority == 9);
  CHECK(back.durable == false);
  CHECK(back.group_sequence == 4000000000u);
  CHECK(back.ttl == f.ttl);
  CHECK(back.expires == f.expires);
  CHECK(back.deliver_at == f.deliver_at);
  CHECK(back.properties.empty());
}

TEST_CASE("properties of every type come back with their exact type") {
  const Uuid uuid = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  MessageFields f;
  f.properties = {
      {"null", Value()},
      {"bool", Value(true)},
      {"ubyte", Value::Unsigned(Type::kUByte, 255)},
      {"ushort", Value::Unsigned(Type::kUShort, 65535)},
      {"uint", Value(uint32_t{4000000000u})},
      {"ulong", Value(uint64_t{18446744073709551615u})},
      {"byte", Value::Signed(Type::kByte, -128)},
      {"short", Value::Signed(Type::kShort, -1)},
      {"int", Value(int32_t{-5})},
      {"long", Value(int64_t{-9000000000})},
      {"float", Value(1.5f)},
      {"double", Value(0.1)},
      {"char", Value::Unsigned(Type::kChar, 0x1f600)},
      {"timestamp", Value::TimestampMillis(1700000000123)},
      {"uuid", Value(uuid)},
      {"binary", Value::Binary("\x00\xff"s)},
      {"symbol", Value::Symbol("sym")},
      {"string", Value("text")},
      {"empty", Value("")},
      {"list", Value::Composite(Type::kList, "\x45"s)},
  };
  CHECK(RoundTrip(f).properties == f.properties);
}

TEST_CASE("headers are readable text, with the types in one of their own") {
  MessageFields f;
  f.properties = {{"seq", Value(int64_t{7})}, {"name", Value("x")}};
  f.content_type = "text/plain";
  f.mark(Field::kContentType);
  HeaderList list;
  const auto headers = Encoded(&list, f);
  CHECK(Find(headers, "seq") == "7");
  CHECK(Find(headers, "name") == "x");
  CHECK(Find(headers, "content-type") == "text/plain");
  CHECK(Find(headers, "tieline-types") == "seq=long");
  CHECK(headers.size() == 4);
}

TEST_CASE("plain strings need no header for types") {
  MessageFields f;
  f.properties = {{"a", Value("1")}};
  HeaderList list;
  CHECK(Encoded(&list, f).size() == 1);
}

TEST_CASE("names that collide with the mapping's own are escaped") {
  MessageFields f;
  f.properties = {{"content-type", Value("a property")},
                  {"tieline-types", Value(int64_t{1})},
                  {"tieline-p-x", Value("y")},
                  {"a=b;c%d", Value(true)}};
  f.annotations = {{"x-opt-a", Value::Symbol("s")}};
  f.footer = {{"sum", Value(int32_t{3})}};
  const MessageFields back = RoundTrip(f);
  CHECK(back.properties == f.properties);
  CHECK(back.annotations == f.annotations);
  CHECK(back.footer == f.footer);
  CHECK(!back.has(Field::kContentType));
}

TEST_CASE("headers of other clients become strings, else binary") {
  const std::vector<Header> headers = {
      {"text", "gr\xc3\xbc\xc3\x9f"},
      {"bytes", "\xff\xfe"},
      {"nothing", {}, true},
      {"empty", ""},
  };
  MessageFields f;
  DecodeHeaders(headers, &f);
  REQUIRE(f.properties.size() == 4);
  CHECK(*f.properties.Find("text") == Value("gr\xc3\xbc\xc3\x9f"));
  CHECK(*f.properties.Find("bytes") == Value::Binary("\xff\xfe"));
  CHECK(f.properties.Find("nothing")->is_null());
  CHECK(*f.properties.Find("empty") == Value(""));
}

TEST_CASE("of headers with one name the last counts") {
  const std::vector<Header> headers = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  MessageFields f;
  DecodeHeaders(headers, &f);
  CHECK(f.properties.size() == 2);
  CHECK(*f.properties.Find("a") == Value("3"));

  std::vector<Header> many;
  for (int i = 0; i < 50; ++i) many.push_back({"same", i < 49 ? "x" : "last"});
  MessageFields g;
  DecodeHeaders(many, &g);
  REQUIRE(g.properties.size() == 1);
  CHECK(*g.properties.Find("same") == Value("last"));
}

TEST_CASE("only names that need it are unescaped, and names stay unique") {
  const std::vector<Header> headers = {{"c", "1"},
                                       {"tieline-p-c", "2"},
                                       {"tieline-x", "3"},
                                       {"tieline-p-tieline-x", "4"}};
  MessageFields f;
  DecodeHeaders(headers, &f);
  REQUIRE(f.properties.size() == 3);
  CHECK(*f.properties.Find("c") == Value("1"));
  CHECK(*f.properties.Find("tieline-p-c") == Value("2"));
  CHECK(*f.properties.Find("tieline-x") == Value("4"));
}

TEST_CASE("a header that is not of its declared type is kept as it came") {
  const std::vector<Header> headers = {{"n", "not a number"},
                                       {"tieline-priority", "300"},
                                       {"tieline-types", "n=long;=;x;n2=no"}};
  MessageFields f;
  DecodeHeaders(headers, &f);
  CHECK(*f.properties.Find("n") == Value("not a number"));
  CHECK(!f.has(Field::kPriority));
  CHECK(*f.properties.Find("tieline-priority") == Value("300"));
}

TEST_CASE("more headers than the bound are left out") {
  std::vector<std::string> names;
  for (size_t i = 0; i < kMaxHeaders + 10; ++i) {
    names.push_back("h" + std::to_string(i));
  }
  std::vector<Header> headers;
  for (const std::string& name : names) headers.push_back({name, "v"});
  MessageFields f;
  DecodeHeaders(headers, &f);
  CHECK(f.properties.size() == kMaxHeaders);
}

TEST_CASE("properties go as they are only when nothing else would come back") {
  MessageFields f;
  f.properties.Set("tenant", "acme");
  f.properties.Set("name of more than eight bytes", "caf\xc3\xa9");
  f.mark(Field::kCreated);
  CHECK(IsDirect(f));
  HeaderList list;
  const auto headers = Encoded(&list, f);
  REQUIRE(headers.size() == 2);
  CHECK(Find(headers, "tenant") == "acme");

  const auto with = [&](std::string_view name, const Value& value) {
    MessageFields other = f;
    other.properties.Set(name, value);
    return IsDirect(other);
  };
  CHECK(!with("n", int64_t{5}));
  CHECK(!with("n", Value()));
  CHECK(!with("n", "not UTF-8 \xff at the end of it"));
  CHECK(!with("content-type", "text"));
  CHECK(!with("tieline-to", "text"));
  f.annotations.Set("a", "text");
  CHECK(!IsDirect(f));
  f.annotations.Clear();
  f.mark(Field::kPriority);
  CHECK(!IsDirect(f));
}

TEST_CASE("value and sequence bodies come back") {
  for (const Value& value :
       {Value("text"), Value(int64_t{5}), Value::Binary("\xff"),
        Value::Composite(Type::kMap, "\xc1\x01\x00"s), Value(true)}) {
    MessageFields f;
    f.body_value = value;
    HeaderList list;
    const auto headers = Encoded(&list, f, BodyKind::kValue);
    CHECK(BodyKindOf(headers) == BodyKind::kValue);
    CHECK(DecodeBody(headers, EncodeBody(value)) == value);
  }
}

TEST_CASE("well-formed UTF-8 is told from what is not") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("plain"));
  CHECK(IsUtf8("\xf0\x9f\x98\x80"));
  CHECK(!IsUtf8("\x80"));
  CHECK(!IsUtf8("\xc0\xaf"));          // overlong
  CHECK(!IsUtf8("\xe0\x80\x80"));      // overlong
  CHECK(!IsUtf8("\xed\xa0\x80"));      // surrogate
  CHECK(!IsUtf8("\xf4\x90\x80\x80"));  // beyond Unicode
  CHECK(!IsUtf8("\xe2\x82"));          // cut short
  CHECK(IsUtf8("sixteen bytes ..\xc3\xa9 and more text"));
  CHECK(!IsUtf8("sixteen bytes ..\xa9 and more text"));
}

}  // namespace
}  // namespace tieline::kafka
