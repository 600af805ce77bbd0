#include "adapters/amqp/wire/cursor.h"

#include <algorithm>
#include <string>

#include "tests/adapters/amqp_codec/samples.h"
#include "tests/support/catch.h"

namespace tieline::amqp_codec_test {
namespace {

using amqp::wire::Cursor;
using amqp::wire::ListReader;

TEST_CASE("a list's fields are read in order, null and absent as defaults") {
  // A transfer: handle 1, delivery-id 2, tag, format 0, settled null, more.
  const std::string bytes =
      Bin("00 53 14 c0 0c 06 52 01 52 02 a0 02 abcd 43 40 41");
  Cursor cursor(bytes);
  CHECK(cursor.Descriptor() == 0x14);
  ListReader list(&cursor);
  CHECK(list.UInt(99) == 1);
  CHECK(list.UInt(99) == 2);
  CHECK(list.Binary() == Bin("abcd"));
  CHECK(list.UInt(99) == 0);
  CHECK_FALSE(list.Bool(false));
  CHECK(list.Bool(false));
  CHECK(list.UByte(5) == 5);
  CHECK(list.String().data() == nullptr);
  CHECK(list.left() == 0);
  CHECK(list.ok());
  CHECK(cursor.done());
  CHECK(cursor.ok());
}

TEST_CASE("an empty field has data, an absent one has none") {
  const std::string bytes = Bin("c0 04 02 a1 00 40");
  Cursor cursor(bytes);
  ListReader list(&cursor);
  CHECK(list.String().data() != nullptr);
  CHECK(list.String().data() == nullptr);
  CHECK(list.ok());
}

TEST_CASE("a field of another type than asked for fails the list for good") {
  const std::string bytes = Bin("c0 06 02 a1 01 61 52 05");
  Cursor cursor(bytes);
  ListReader list(&cursor);
  CHECK(list.UInt(0) == 0);
  CHECK_FALSE(list.ok());
  CHECK(list.UInt(3) == 0);
  CHECK_FALSE(list.ok());
}

TEST_CASE("skipping passes over one value of any type and gives its bytes") {
  for (const Value& value : EveryValue()) {
    const std::string bytes = Encoded(value) + Bin("41");
    Cursor cursor(bytes);
    CHECK(Hex(cursor.Skip()) == Hex(Encoded(value)));
    CHECK(cursor.Bool());
    CHECK(cursor.ok());
  }
}

TEST_CASE("skipping never passes the end") {
  for (const Value& value : EveryValue()) {
    const std::string bytes = Encoded(value);
    for (size_t n = 0; n < bytes.size(); ++n) {
      const std::string cut = bytes.substr(0, n);
      Cursor cursor(cut);
      CHECK(cursor.Skip().empty());
      CHECK_FALSE(cursor.ok());
      CHECK(cursor.done());
    }
  }
  const std::string endless(1000000, '\0');
  Cursor cursor(endless);
  cursor.Skip();
  CHECK_FALSE(cursor.ok());
}

TEST_CASE("as many nulls are passed over as there are, and as asked for") {
  for (uint32_t nulls = 0; nulls < 20; ++nulls) {
    for (const char* rest : {"", "41", "43 40 40 40 40 40 40 40"}) {
      for (uint32_t most = 0; most < 22; ++most) {
        const std::string bytes = std::string(nulls, '\x40') + Bin(rest);
        Cursor cursor(bytes);
        CHECK(cursor.SkipNulls(most) == std::min(nulls, most));
        CHECK(cursor.left() == bytes.size() - std::min(nulls, most));
      }
    }
  }
}

TEST_CASE("every integer encoding is read as its type") {
  const std::string bytes =
      Bin("43 52 07 70 00010000 44 53 ff 80 0000000100000000 50 fe 60 1234"
          "83 0000000000000005 41 42 56 01 a3 01 61 b1 00000001 62");
  Cursor c(bytes);
  CHECK(c.UInt() == 0);
  CHECK(c.UInt() == 7);
  CHECK(c.UInt() == 65536);
  CHECK(c.ULong() == 0);
  CHECK(c.ULong() == 255);
  CHECK(c.ULong() == uint64_t{1} << 32);
  CHECK(c.UByte() == 254);
  CHECK(c.UShort() == 0x1234);
  CHECK(c.Timestamp() == 5);
  CHECK(c.Bool());
  CHECK_FALSE(c.Bool());
  CHECK(c.Bool());
  CHECK(c.Symbol() == "a");
  CHECK(c.String() == "b");
  CHECK(c.ok());
  CHECK(c.done());
}

TEST_CASE("heads of lists and maps with impossible counts are refused") {
  for (const char* hex : {"c0 02 05 40", "d0 00000005 ffffffff 40", "c0 00",
                          "c0 05 01 40", "a1 00", ""}) {
    const std::string bytes = Bin(hex);
    Cursor cursor(bytes);
    ListReader list(&cursor);
    INFO(hex);
    CHECK_FALSE(list.ok());
    CHECK(list.left() == 0);
  }
  const std::string odd = Bin("c1 02 01 40");
  Cursor cursor(odd);
  Cursor items;
  uint32_t count = 0;
  CHECK_FALSE(cursor.Map(&items, &count));
}

}  // namespace
}  // namespace tieline::amqp_codec_test
