// Confirmer: completes some deliveries and waits for the broker's answer, so
// that the log says of them that they must not come again.
//
// One at a time, and outside of the handlers: where settling is by watermark,
// an answer may wait for what other handlers have.
//
// Threads: any; it has one of its own.
#ifndef TIELINE_TESTS_ACCEPTANCE_MOVE_CONFIRMER_H_
#define TIELINE_TESTS_ACCEPTANCE_MOVE_CONFIRMER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/acceptance/move_log.h"
#include "tieline/delivery.h"

namespace tieline::move_check {

class Confirmer {
 public:
  // `log` outlives it.
  explicit Confirmer(EventLog* log) : log_(log), thread_([this] { Run(); }) {}
  // Waits for the one that it has.
  ~Confirmer();

  // Takes the delivery of message `number`, unless it has one.
  void Offer(uint64_t number, Delivery& delivery);

 private:
  void Run();

  EventLog* const log_;
  std::mutex mu_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::optional<uint64_t> number_;
  Delivery delivery_;  // the thread's, while there is a number
  std::thread thread_;
};

}  // namespace tieline::move_check

#endif  // TIELINE_TESTS_ACCEPTANCE_MOVE_CONFIRMER_H_
