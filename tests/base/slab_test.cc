#include "lib/base/slab.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/support/catch.h"

namespace tieline::inline v0 {
namespace {

constexpr size_t kSize = 512;

std::vector<void*> Make(size_t count) {
  std::vector<void*> blocks(count);
  for (void*& block : blocks) {
    block = SlabAllocate(kSize);
    std::memset(block, 0xa5, kSize);
  }
  return blocks;
}

void Free(const std::vector<void*>& blocks) {
  for (void* block : blocks) SlabFree(block, kSize);
}

TEST_CASE("blocks that are not needed for long go back to the heap") {
  constexpr size_t kPeak = 30000;
  const size_t before = SlabShared();
  Free(Make(kPeak));
  const size_t peak = SlabShared() - before;
  if (SlabRoundUp(1) == 1) {
    CHECK(peak == 0);  // under AddressSanitizer every block is the heap's
    return;
  }
  CHECK(peak > kPeak * kSize * 9 / 10);
  size_t least = peak;
  for (int i = 0; i < 30000; ++i) {
    Free(Make(256));
    const size_t now = SlabShared();
    least = std::min(least, now - std::min(now, before));
  }
  CHECK(least < peak / 10);
}

}  // namespace
}  // namespace tieline::inline v0
