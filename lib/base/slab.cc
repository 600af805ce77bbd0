#include "lib/base/slab.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <vector>

#include "lib/base/fetch.h"
#include "lib/base/mutex.h"

namespace tieline::inline v0 {

#if defined(__SANITIZE_ADDRESS__)
#define TIELINE_SLAB_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TIELINE_SLAB_OFF 1
#endif
#endif

#if defined(TIELINE_SLAB_OFF)

void* SlabAllocate(size_t size) { return ::operator new(size); }
void SlabFree(void* block, size_t /*size*/) { ::operator delete(block); }
size_t SlabRoundUp(size_t size) { return size; }
size_t SlabShared() { return 0; }

#else

namespace {

constexpr std::array<size_t, 6> kClasses = {64, 256, 384, 512, 640, 1152};
constexpr size_t kBatch = 64;
// Blocks kept for reuse by all threads together take at most so much, a class.
constexpr size_t kSharedBytes = 24 << 20;
constexpr size_t SharedBatches(size_t c) {
  return kSharedBytes / (kClasses[c] * kBatch);
}

constexpr size_t kStep = 64;
constexpr size_t kLargest = kClasses.back();

// The class of each size in steps of kStep.
constexpr std::array<uint8_t, kLargest / kStep + 1> MakeClassOfStep() {
  std::array<uint8_t, kLargest / kStep + 1> table{};
  uint8_t c = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    while (kClasses[c] < i * kStep) ++c;
    table[i] = c;
  }
  return table;
}
constexpr auto kClassOfStep = MakeClassOfStep();

size_t ClassOf(size_t size) {
  return size > kLargest ? kClasses.size()
                         : kClassOfStep[(size + kStep - 1) / kStep];
}

// Cache lines of a block that are fetched ahead: the objects begin there, and
// the bytes of a body are asked for in order anyway.
constexpr std::array<size_t, kClasses.size()> kFetched = {1, 4, 4, 4, 4, 4};

struct Block {
  Block* next;
};

// Of the batches that nobody took while so many came, half go to the heap.
constexpr size_t kReview = 4096;

struct Shared {
  Mutex mu;
  // Chains of kBatch blocks.
  std::vector<Block*> batches ABSL_GUARDED_BY(mu);
  size_t given ABSL_GUARDED_BY(mu) = 0;   // since the last review
  size_t fewest ABSL_GUARDED_BY(mu) = 0;  // that there were since
  size_t excess ABSL_GUARDED_BY(mu) = 0;  // batches not to be kept
};

Shared& SharedOf(size_t c) {
  static auto* shared = new std::array<Shared, kClasses.size()>;
  return (*shared)[c];
}

// Plain data, so that it can be used before and after the thread's own
// destructors; Flush at thread exit is a separate object's.
struct Cache {
  struct List {
    Block* head = nullptr;  // the list in use
    size_t count = 0;
    Block* spare = nullptr;  // a full batch, or none
  };
  std::array<List, kClasses.size()> lists;
  bool registered = false;
  bool gone = false;
};

thread_local constinit Cache cache;

void FreeChain(Block* head) {
  while (head != nullptr) {
    Block* next = head->next;
    ::operator delete(head);
    head = next;
  }
}

void Give(size_t c, Block* batch) {
  Shared& shared = SharedOf(c);
  {
    MutexLock lock(&shared.mu);
    if (++shared.given == kReview) {
      shared.excess = shared.fewest / 2;
      shared.given = 0;
      shared.fewest = shared.batches.size();
    }
    if (shared.excess > 0) {
      --shared.excess;
    } else if (shared.batches.size() < SharedBatches(c)) {
      shared.batches.push_back(batch);
      return;
    }
  }
  FreeChain(batch);
}

Block* Take(size_t c) {
  Shared& shared = SharedOf(c);
  MutexLock lock(&shared.mu);
  if (shared.batches.empty()) return nullptr;
  Block* batch = shared.batches.back();
  shared.batches.pop_back();
  shared.fewest = std::min(shared.fewest, shared.batches.size());
  return batch;
}

struct Flusher {
  ~Flusher() {
    cache.gone = true;
    for (Cache::List& list : cache.lists) {
      FreeChain(list.head);
      FreeChain(list.spare);
      list = {};
    }
  }
};

bool Register() {
  if (cache.gone) return false;
  static thread_local Flusher flusher;
  cache.registered = true;
  return true;
}

[[gnu::noinline]] void* AllocateSlow(size_t c) {
  if (!cache.registered && !Register()) return ::operator new(kClasses[c]);
  Cache::List& list = cache.lists[c];
  if (list.spare == nullptr) list.spare = Take(c);
  if (list.spare == nullptr) return ::operator new(kClasses[c]);
  list.head = list.spare;
  list.count = kBatch;
  list.spare = nullptr;
  Block* block = list.head;
  list.head = block->next;
  --list.count;
  return block;
}

[[gnu::noinline]] bool MakeRoom(size_t c) {
  if (!cache.registered && !Register()) return false;
  Cache::List& list = cache.lists[c];
  if (list.count < kBatch) return true;
  if (list.spare != nullptr) Give(c, list.spare);
  list.spare = list.head;
  list.head = nullptr;
  list.count = 0;
  return true;
}

}  // namespace

void* SlabAllocate(size_t size) {
  const size_t c = ClassOf(size);
  if (c == kClasses.size()) return ::operator new(size);
  Cache::List& list = cache.lists[c];
  if (list.head == nullptr) return AllocateSlow(c);
  Block* block = list.head;
  list.head = block->next;
  --list.count;
  // The next one: it is mostly another thread that freed it.
  if (list.head != nullptr) Fetch(list.head, kFetched[c]);
  return block;
}

void SlabFree(void* block, size_t size) {
  const size_t c = ClassOf(size);
  if (c == kClasses.size()) {
    ::operator delete(block);
    return;
  }
  Cache::List& list = cache.lists[c];
  if ((list.count >= kBatch || !cache.registered) && !MakeRoom(c)) {
    ::operator delete(block);
    return;
  }
  auto* b = static_cast<Block*>(block);
  b->next = list.head;
  list.head = b;
  ++list.count;
}

size_t SlabRoundUp(size_t size) {
  const size_t c = ClassOf(size);
  return c == kClasses.size() ? size : kClasses[c];
}

size_t SlabShared() {
  size_t bytes = 0;
  for (size_t c = 0; c < kClasses.size(); ++c) {
    Shared& shared = SharedOf(c);
    MutexLock lock(&shared.mu);
    bytes += shared.batches.size() * kBatch * kClasses[c];
  }
  return bytes;
}

#endif

}  // namespace tieline::inline v0
