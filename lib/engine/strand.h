// Strand: runs a body on one thread at a time without anyone waiting. A call
// that finds the strand busy leaves at once, and whoever is inside runs the
// body once more.
#ifndef TIELINE_LIB_ENGINE_STRAND_H_
#define TIELINE_LIB_ENGINE_STRAND_H_

#include <atomic>
#include <cstdint>

namespace tieline::inline v0 {

class Strand {
 public:
  // Returns false when another thread is inside (it will run its body again,
  // after this call began).
  template <typename Body>
  bool Run(Body&& body) {
    if (calls_.fetch_add(1, std::memory_order_acq_rel) != 0) return false;
    uint32_t seen = 1;
    do {
      body();
    } while (
        !calls_.compare_exchange_strong(seen, 0, std::memory_order_acq_rel));
    return true;
  }

 private:
  std::atomic<uint32_t> calls_{0};
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_STRAND_H_
