// The digest that is kept on disk: always the same, and different bytes have
// different ones.
#include "lib/base/digest.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace tieline {
namespace {

// A text of that length without a period.
std::string Text(size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += static_cast<char>((i * i + 7 * i) % 251);
  }
  return text;
}

TEST_CASE("digests are the same for ever") {
  CHECK(Digest64("") == 0x011e6df9d816d213u);
  CHECK(Digest64("a") == 0x385ae09443e5494eu);
  CHECK(Digest64("charger-17") == 0xc4310ba0c208b262u);
  CHECK(Digest64(Text(16)) == 0xdf68d91680961951u);
  CHECK(Digest64(Text(33)) == 0x81dd182aa3cf47ecu);
  CHECK(Digest64(Text(1000)) == 0x0e96b98c14e9fb4bu);
  CHECK(Digest64("a", 1) == 0x7ce30c2ba90cafa4u);
}

TEST_CASE("each bit, each byte more and each seed makes another digest") {
  std::set<uint64_t> seen;
  size_t made = 0;
  for (const size_t size : {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49,
                            63, 64, 65, 100, 200}) {
    std::string text = Text(size);
    seen.insert(Digest64(text));
    seen.insert(Digest64(text, 1));
    made += 2;
    for (char& c : text) {
      for (int bit = 0; bit < 8; ++bit) {
        c = static_cast<char>(c ^ (1 << bit));
        seen.insert(Digest64(text));
        ++made;
        c = static_cast<char>(c ^ (1 << bit));
      }
    }
  }
  CHECK(seen.size() == made);
}

TEST_CASE("zeros are told apart by their number") {
  std::set<uint64_t> seen;
  for (size_t size = 0; size < 300; ++size) {
    seen.insert(Digest64(std::string(size, '\0')));
  }
  CHECK(seen.size() == 300);
}

TEST_CASE("where the bytes lie does not matter") {
  const std::string text = Text(100);
  for (size_t shift = 0; shift < 16; ++shift) {
    const std::string moved = std::string(shift, 'x') + text;
    CHECK(Digest64(std::string_view(moved).substr(shift)) == Digest64(text));
  }
}

TEST_CASE("half of a digest's bits change with one bit") {
  int changed = 0;
  int cases = 0;
  for (const size_t size : {8, 20, 40, 100}) {
    std::string text = Text(size);
    const uint64_t before = Digest64(text);
    for (char& c : text) {
      c = static_cast<char>(c ^ 1);
      changed += __builtin_popcountll(before ^ Digest64(text));
      ++cases;
      c = static_cast<char>(c ^ 1);
    }
  }
  CHECK(changed / cases >= 30);
  CHECK(changed / cases <= 34);
}

}  // namespace
}  // namespace tieline
