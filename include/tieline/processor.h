// Processor: push-style receiving, with concurrency and order per key.
#ifndef TIELINE_PROCESSOR_H_
#define TIELINE_PROCESSOR_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tieline/config.h"
#include "tieline/delivery.h"

namespace tieline::inline v0 {

class ProcessorCore;

// Called on a thread of the processor; may block. OK completes the delivery,
// an error abandons it (unless the handler settled it itself). A handler that
// throws abandons, and is counted.
using Handler = std::function<absl::Status(Delivery&)>;

struct ProcessorOptions {
  uint32_t concurrency = 1;  // handlers at the same time; each has a thread
  // kPerKey: messages of one key are handled one after the other, in order;
  // the next only when the one before was settled for good. One that fails is
  // kept and tried again here, up to ReceiverOptions::max_attempts, then
  // dead-lettered.
  Order order = Order::kPerKey;

  absl::Status Validate() const;
};

struct ProcessorCounts {
  uint64_t handled = 0;
  uint64_t failed = 0;  // handlers that returned an error
  uint64_t thrown = 0;
  uint32_t running = 0;
};

class Processor {
 public:
  explicit Processor(std::shared_ptr<ProcessorCore> core);
  // Stop, and waits for every handler: they use what their owner is about to
  // destroy.
  ~Processor();

  // Begins no more handlers, waits for those that run, and releases what was
  // not handled. kDeadlineExceeded when handlers still run at the deadline:
  // what they settle still counts, until the receiver is closed; stop again to
  // wait for them. Not from a handler (kFailedPrecondition).
  absl::Status Stop(absl::Duration timeout);
  ProcessorCounts counts() const;

 private:
  std::shared_ptr<ProcessorCore> core_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_PROCESSOR_H_
