// Memory for short-lived blocks that one thread makes and another frees:
// per-thread caches that trade whole batches through a shared, bounded list.
// What that list has too much of goes back to the heap, a batch at a time.
//
// Threads: any. Blocks may be freed by another thread than made them. Under
// AddressSanitizer every block comes from the heap.
#ifndef TIELINE_LIB_BASE_SLAB_H_
#define TIELINE_LIB_BASE_SLAB_H_

#include <cstddef>

namespace tieline::inline v0 {

// A block of at least `size` bytes, aligned to 16.
void* SlabAllocate(size_t size);
// `size` as it was asked for.
void SlabFree(void* block, size_t size);
// The usable size of a block that was asked for with `size`.
size_t SlabRoundUp(size_t size);
// Bytes of the blocks that wait in the shared list.
size_t SlabShared();

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_SLAB_H_
