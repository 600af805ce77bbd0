// Counts the allocations that a message costs in our queue, once its caches are
// warm: an operator new of our own counts, so this program measures no time.
#include <new>

#include "benchmarks/end_to_end/memory/tieline.h"

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  TielineQueue queue;
  const auto count = [&](auto cross) {
    for (const bool warm : {false, true}) {
      Crossing crossing(flags);
      const size_t before = allocations.load();
      cross(queue, crossing);
      if (warm) {
        return static_cast<double>(allocations.load() - before) /
               static_cast<double>(flags.count);
      }
    }
    return 0.0;
  };
  const double batches = count(CrossInBatches);
  const double single = count(CrossOneByOne);
  std::printf(
      "{\"side\":\"tieline-allocations\",\"messages\":%zu,"
      "\"batches\":%.4f,\"single\":%.4f}\n",
      flags.count, batches, single);
  return 0;
}
