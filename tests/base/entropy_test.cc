#include "lib/base/entropy.h"

#include "tests/support/catch.h"

namespace tieline {
namespace {

TEST_CASE("entropy: a seed decides the numbers, and no seed leaves none") {
  SeedEntropy(7);
  const uint64_t first = Entropy();
  const uint64_t second = Entropy();
  CHECK(first != second);
  SeedEntropy(7);
  CHECK(Entropy() == first);
  CHECK(Entropy() == second);
  SeedEntropy(8);
  CHECK(Entropy() != first);
  SeedEntropy(0);
  CHECK(Entropy() != Entropy());
}

}  // namespace
}  // namespace tieline
