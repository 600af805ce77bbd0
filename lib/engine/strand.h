// Strand: runs a body on one thread at a time without anyone waiting. A call
// that finds the strand busy leaves at once, and whoever is inside runs the
// body once more, or sees to it that somebody does.
#ifndef TIELINE_LIB_ENGINE_STRAND_H_
#define TIELINE_LIB_ENGINE_STRAND_H_

#include <atomic>
#include <cstdint>

namespace tieline::inline v0 {

class Strand {
 public:
  // Runs `body` until it returns false and nobody has called meanwhile, but at
  // most `max` times: others' calls must not keep a thread in here for ever.
  // Returns false when it left with more to do: the caller then has to see to
  // it that someone calls again. True when nothing is left to the caller: all
  // is done, or another thread is inside and will see to it.
  template <typename Body>
  bool Run(int max, Body&& body) {
    if (calls_.fetch_add(1, std::memory_order_acq_rel) != 0) return true;
    for (int i = 0; i < max; ++i) {
      uint32_t seen = calls_.load(std::memory_order_acquire);
      const bool more = body();
      if (more) continue;
      if (calls_.compare_exchange_strong(seen, 0, std::memory_order_acq_rel)) {
        return true;
      }
    }
    calls_.exchange(0, std::memory_order_acq_rel);
    return false;
  }

 private:
  std::atomic<uint32_t> calls_{0};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_STRAND_H_
