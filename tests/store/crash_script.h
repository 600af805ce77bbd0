// CrashScript: what is committed, batch by batch, in the tests that crash, so
// that whoever finds the file can tell what has to be in it.
//
// Batch k appends to some of the queues, adds an id to the inbox, sets the
// generation to k and says so in the journal. So a file shows how many batches
// it has, and each has to be there as a whole.
#ifndef TIELINE_TESTS_STORE_CRASH_SCRIPT_H_
#define TIELINE_TESTS_STORE_CRASH_SCRIPT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/store/store.h"

namespace tieline::testing {

class CrashScript {
 public:
  static constexpr size_t kQueues = 3;
  using PerQueue = std::array<uint64_t, kQueues>;

  // Adds the queues that are missing.
  absl::Status AddQueues(Store* store);
  StoreBatch Batch(uint64_t k);
  // A batch that drops from each queue all but `keep` entries of those that
  // batches 1 to k appended; notes that it was asked for.
  StoreBatch Trim(uint64_t k, uint64_t keep);
  // It was acknowledged.
  void Trimmed(uint64_t k, uint64_t keep);

  // The number of batches in the file, when it holds just what they wrote;
  // kDataLoss with what is wrong. At least `acknowledged`, at most `asked`.
  absl::StatusOr<uint64_t> Verify(Store* store, uint64_t acknowledged,
                                  uint64_t asked);

 private:
  PerQueue LastAfter(uint64_t k);

  std::vector<QueueId> queues_;
  std::vector<PerQueue> last_ = {PerQueue{}};
  PerQueue trimmed_{};  // for certain
  PerQueue asked_{};    // perhaps
};

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_CRASH_SCRIPT_H_
