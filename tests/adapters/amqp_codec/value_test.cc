#include <string>

#include "adapters/amqp/wire/value_codec.h"
#include "tests/adapters/amqp_codec/samples.h"
#include "tests/support/catch.h"

namespace tieline::amqp_codec_test {
namespace {

using amqp::wire::CheckValue;
using amqp::wire::Cursor;
using amqp::wire::IsUtf8;
using amqp::wire::kMaxDepth;
using amqp::wire::ReadValue;
using amqp::wire::Writer;
using amqp::wire::WriteValue;

// The value that `bytes` are as a whole; the test fails if they are none.
Value Decoded(std::string_view bytes) {
  INFO(Hex(bytes));
  Cursor cursor(bytes);
  Value value;
  REQUIRE(ReadValue(&cursor, &value));
  REQUIRE(cursor.done());
  return value;
}

bool IsGood(std::string_view bytes) {
  // In memory of its own, so that reading past the end shows.
  const std::string copy(bytes);
  Cursor checked(copy);
  const bool good = CheckValue(&checked) && checked.done();
  Cursor read(copy);
  Value value;
  CHECK((ReadValue(&read, &value) && read.done()) == good);
  return good;
}

std::string Repeat(std::string_view text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

TEST_CASE("each value is written in its smallest encoding") {
  for (const Vector& v : Vectors()) {
    CHECK(Hex(Encoded(v.value)) == Hex(v.smallest));
  }
}

TEST_CASE("each value is read from any of its encodings") {
  for (const Vector& v : Vectors()) {
    CHECK(Decoded(v.smallest) == v.value);
    for (const std::string& other : v.others) {
      CHECK(Decoded(other) == v.value);
    }
  }
}

TEST_CASE("every type at its limits reads back as it was written") {
  for (const Value& value : EveryValue()) {
    const std::string bytes = Encoded(value);
    INFO(TypeName(value.type()) << " " << Hex(bytes));
    CHECK(Decoded(bytes) == value);
  }
}

TEST_CASE("a value cut short anywhere is malformed") {
  for (const Value& value : EveryValue()) {
    const std::string bytes = Encoded(value);
    for (size_t n = 0; n < bytes.size(); ++n) {
      INFO(Hex(bytes) << " cut to " << n);
      CHECK_FALSE(IsGood(std::string_view(bytes).substr(0, n)));
    }
  }
}

TEST_CASE("a composite nested to the bound is read, and not one deeper") {
  // A list within a list ...: each holds the next alone.
  std::string nested = Bin("45");
  for (int depth = 1; depth <= kMaxDepth; ++depth) {
    const std::string size = {static_cast<char>(nested.size() + 1)};
    nested.insert(0, Bin("c0").append(size).append(Bin("01")));
    CHECK(IsGood(nested));
  }
  const std::string size = {static_cast<char>(nested.size() + 1)};
  CHECK_FALSE(IsGood(Bin("c0") + size + Bin("01") + nested));
  CHECK(IsGood(Repeat(Bin("00 44"), kMaxDepth) + Bin("40")));
  CHECK_FALSE(IsGood(Repeat(Bin("00 44"), kMaxDepth + 1) + Bin("40")));
  CHECK_FALSE(IsGood(std::string(100000, '\0')));
  CHECK_FALSE(IsGood(Repeat(Bin("00 44"), 100000) + Bin("40")));
}

TEST_CASE("composites whose lengths and counts disagree are malformed") {
  for (const char* hex : {
           "c0 00",                    // a size without room for the count
           "d0 00000003 000000",       // the same, wide
           "c0 02 02 40",              // more items than there are
           "c0 03 01 40 40",           // fewer items than there are
           "c0 02 01 a1",              // an item cut short
           "c1 02 01 40",              // a key without a value
           "d1 00000004 ffffffff",     // a huge count
           "d0 ffffffff 00000001 40",  // a huge size
           "b0 ffffffff 00",           // huge binary
           "e0 04 02 50 01",           // an array a byte short
           "e0 05 02 50 01 02 03",     // ... and a byte too long
           "e0 02 01 ff",              // of an unknown constructor
           "e0 01 01",                 // without a constructor
           "f0 00000009 ffffffff 98 00000000",  // a huge count
           "e0 04 01 56 02 00",                 // a boolean of 2
           "e0 06 01 a1 05 61 62 63",           // an element past the end
           "56 02",
           "41 41",
           "3f",
           "ff",
           "00",
           "00 40",
       }) {
    INFO(hex);
    CHECK_FALSE(IsGood(Bin(hex)));
  }
}

TEST_CASE("arrays of every shape are checked element by element") {
  CHECK(IsGood(Bin("e0 01 00")));     // empty, without a constructor
  CHECK(IsGood(Bin("e0 02 05 43")));  // elements of no width
  CHECK(IsGood(Bin("e0 04 02 56 01 00")));
  CHECK(IsGood(Bin("e0 07 02 c0 01 00 02 01 40")));
  CHECK(IsGood(Bin("e0 09 01 00 a3 01 78 a1 02 61 62")));
  CHECK(IsGood(Bin("e0 05 01 e0 02 00 40")));
  CHECK_FALSE(IsGood(Bin("e0 07 02 c0 01 00 02 02 40")));
  CHECK_FALSE(IsGood(Bin("e0 06 02 e0 02 00 40")));
}

TEST_CASE("what AMQP can't carry is refused and nothing is written") {
  Writer writer;
  writer.Append("before");
  const auto refused = [&](const Value& value) {
    const absl::Status status = WriteValue(value, &writer);
    CHECK(writer.view() == "before");
    return status.code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(refused(Value("\xff")));
  CHECK(refused(Value::Symbol("\xc3\xa9")));
  CHECK(refused(Value::Composite(Type::kList, "")));
  CHECK(refused(Value::Composite(Type::kList, Bin("c1 01 00"))));
  CHECK(refused(Value::Composite(Type::kMap, Bin("c1 02 01 40"))));
  CHECK(refused(Value::Composite(Type::kList, Bin("45 45"))));
  CHECK(refused(Value::Composite(Type::kArray, Bin("a1 00"))));
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const char* hex : {"", "61", "c3a9", "e282ac", "f09f9880", "efbfbf",
                          "f48fbfbf", "ed9fbf", "6161616161616161c3a9"}) {
    INFO(hex);
    CHECK(IsUtf8(Bin(hex)));
  }
  for (const char* hex :
       {"80", "c0af", "c1bf", "c3", "e0809f", "e28228", "eda080", "f0808080",
        "f4908080", "f5808080", "ff", "e282", "f09f98", "c3c3"}) {
    INFO(hex);
    CHECK_FALSE(IsUtf8(Bin(hex)));
  }
}

TEST_CASE("small lists and maps shrink to their short forms when they end") {
  Writer writer;
  size_t mark = writer.Begin();
  writer.EndList(mark, 0);
  CHECK(Hex(writer.view()) == "45");
  writer.Clear();
  mark = writer.Begin();
  writer.Append(Bin("4041"));
  writer.EndList(mark, 2);
  CHECK(Hex(writer.view()) == "c003024041");
  writer.Clear();
  mark = writer.Begin();
  for (int i = 0; i < 256; ++i) writer.Append(Bin("40"));
  writer.EndMap(mark, 256);
  CHECK(Hex(writer.view().substr(0, 9)) == "d10000010400000100");
  CHECK(IsGood(writer.view()));
  writer.Clear();
  mark = writer.Begin();
  for (int i = 0; i < 254; ++i) writer.Append(Bin("40"));
  writer.EndList(mark, 254);
  CHECK(Hex(writer.view().substr(0, 4)) == "c0fffe40");
  CHECK(IsGood(writer.view()));
}

}  // namespace
}  // namespace tieline::amqp_codec_test
