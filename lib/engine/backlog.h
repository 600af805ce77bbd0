// Backlog: what a receiver has received and not handed out: what is ready, what
// waits to be tried again, and, in an ordered queue without a consumer that
// keeps order itself, what waits behind that for its key.
//
// Threads: none of its own; ReceiverLeg::mu_ guards it. Bounded by the
// receiver's credit.
#ifndef TIELINE_LIB_ENGINE_BACKLOG_H_
#define TIELINE_LIB_ENGINE_BACKLOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "lib/base/ring.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0 {

class Backlog {
 public:
  using See = std::function<void(const driver::Inbound&)>;

  Ring<driver::Inbound>& ready() { return ready_; }
  const Ring<driver::Inbound>& ready() const { return ready_; }
  // Ready, or behind its key.
  void Arrived(driver::Inbound inbound);
  // To be tried again at `at`. `keeps_key`: what has its key waits behind it.
  void Retry(driver::Inbound inbound, absl::Time at, bool keeps_key);
  absl::Time NextRetry() const {
    return retries_.empty() ? absl::InfiniteFuture() : retries_.begin()->first;
  }
  // What is due, and what waited behind it, is ready again.
  void RetryDue(absl::Time now);
  // What waits with its key is ready now, in order: there is a consumer, which
  // keeps order by itself.
  void FreeKeys();
  // Drops what came on a lane, after `see`; frees the keys that it held.
  void DropLane(driver::Lane lane, const See& see);
  // Drops everything, after `see`.
  void Clear(const See& see);

 private:
  struct Waiting {
    driver::Inbound inbound;
    uint64_t key = 0;
    bool keeps_key = false;
  };

  void FreeKey(uint64_t key);
  static uint64_t KeyHash(const driver::Inbound& inbound);

  Ring<driver::Inbound> ready_;
  std::multimap<absl::Time, Waiting> retries_;
  absl::flat_hash_map<uint64_t, std::deque<driver::Inbound>> behind_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_BACKLOG_H_
