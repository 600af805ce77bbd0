// The fields of frames, in the forms that peers write them in.
#include "adapters/amqp/wire/performatives.h"

#include <string>
#include <vector>

#include "tests/adapters/amqp_codec/samples.h"
#include "tests/support/catch.h"

namespace tieline::amqp_codec_test {
namespace {

using amqp::wire::Decode;
using amqp::wire::Transfer;

std::string List(int count, const std::string& fields) {
  const std::string bytes = Bin(fields);
  std::string list = "\xc0";
  list += static_cast<char>(bytes.size() + 1);
  list += static_cast<char>(count);
  return list + bytes;
}

TEST_CASE("a transfer reads alike in every form and with any payload") {
  struct Case {
    int fields;
    std::string encoded;
    bool good;
  };
  const std::string tag32 = "a020" + std::string(64, 'e');
  const std::string tag33 = "a021" + std::string(66, 'e');
  const std::vector<Case> cases = {
      {11, "43 5207 a00800000000000000aa 43 42 42 40 40 42 42 42", true},
      {11, "5201 7000010203 a000 7000000000 41 40 40 40 40 40 40", true},
      {5, "43 43 " + tag32 + " 5200 41", true},
      {5, "43 43 " + tag33 + " 43 42", true},
      {5, "7000000002 7080000000 b00000000161 7000000007 5601", true},
      {4, "43 43 a00101 43", true},
      {1, "43", true},
      {6, "43 43 a00101 43 42 41", true},               // more
      {6, "43 43 a00101 43 42 5601", true},             // in two bytes
      {10, "43 43 a00101 43 42 42 40 40 42 41", true},  // aborted
      {9, "43 43 a00101 43 42 42 40 40 41", true},      // resume
      {8, "43 43 a00101 43 42 42 5000 40", true},       // rcv-settle-mode
      {3, "43 40 40", true},
      {5, "43 43 40 43 42", true},
      {5, "40 43 a00101 43 42", false},     // no handle
      {5, "42 43 a00101 43 42", false},     // a handle that is no number
      {5, "43 43 a00501 43 42", false},     // a tag beyond the list
      {6, "43 43 a00101 43 42", false},     // a field too few
      {5, "43 43 a00101 43 43", false},     // settled is no flag
      {5, "43 43 a10101 43 42", false},     // the tag is text
      {5, "43 43 a00101 43 5602", false},   // neither true nor false
      {6, "43 43 a00101 43 42 43", false},  // more is no flag
  };
  for (const Case& c : cases) {
    INFO(c.encoded);
    const std::string list = List(c.fields, c.encoded);
    Transfer alone;
    REQUIRE(Decode(list, &alone) == c.good);
    if (c.good) CHECK(alone.payload.empty());
    // Behind it a payload, long enough for any way to read it.
    const std::string payload(200, '\x42');
    const std::string whole = list + payload;
    Transfer t;
    REQUIRE(Decode(whole, &t) == c.good);
    if (!c.good) continue;
    CHECK(t.payload == payload);
    CHECK(t.handle == alone.handle);
    CHECK(t.delivery_id == alone.delivery_id);
    CHECK(t.tag == alone.tag);
    CHECK(t.message_format == alone.message_format);
    CHECK(t.settled == alone.settled);
    CHECK(t.more == alone.more);
    CHECK(t.resume == alone.resume);
    CHECK(t.aborted == alone.aborted);
    CHECK(t.batchable == alone.batchable);
  }
}

}  // namespace
}  // namespace tieline::amqp_codec_test
