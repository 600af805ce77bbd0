// Background: a thread for the calls of librdkafka that only exist as
// blocking ones (metadata, offsets, administration). One a connection, started
// with its first job.
//
// Threads: Post and Stop from the owner's; jobs run on the thread, in order.
#ifndef TIELINE_ADAPTERS_KAFKA_BACKGROUND_H_
#define TIELINE_ADAPTERS_KAFKA_BACKGROUND_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "lib/base/mutex.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace kafka {

class Background {
 public:
  // What a job leaves to be done on the connection's thread.
  using Result = std::function<void()>;
  // Runs on the thread; gives up soon once `stop` is true.
  using Job = std::function<Result(const std::atomic<bool>& stop)>;

  explicit Background(driver::Waker* waker);
  // Drops what has not begun, and leaves the rest to the Reaper.
  ~Background();

  // False when kMaxJobs wait already.
  bool Post(Job job);
  // Runs the results that are there; returns how many.
  size_t RunResults();

  static constexpr size_t kMaxJobs = 100000;

 private:
  struct Shared;
  static void Run(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_BACKGROUND_H_
