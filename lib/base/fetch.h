// Fetch: brings memory to this CPU's cache before it is needed. Where another
// thread wrote it last, or much was done since, waiting for it is most of what
// a short piece of work takes.
//
// Threads: any. The memory need not be there any more; null is left out.
#ifndef TIELINE_LIB_BASE_FETCH_H_
#define TIELINE_LIB_BASE_FETCH_H_

#include <cstddef>

namespace tieline::inline v0 {

// The first `lines` cache lines of what is at `start`, to be written.
inline void Fetch(const void* start, size_t lines) {
  if (start == nullptr) return;
  constexpr size_t kLine = 64;
  const auto* at = static_cast<const char*>(start);
  for (size_t i = 0; i < lines; ++i) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(at[i * kLine]));
#else
    __builtin_prefetch(at + i * kLine, 1);
#endif
  }
}

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_FETCH_H_
