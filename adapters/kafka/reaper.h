// Reaper: one thread of the process for what may block at the end of a
// client's life (leaving a group, freeing librdkafka's threads), so that no
// close and no release of a message has to wait for it.
//
// Threads: Post from any. The thread starts with the first job, ends when
// there is none left, and is joined when the process ends.
#ifndef TIELINE_ADAPTERS_KAFKA_REAPER_H_
#define TIELINE_ADAPTERS_KAFKA_REAPER_H_

#include <deque>
#include <functional>
#include <thread>

#include "lib/base/mutex.h"

namespace tieline::inline v0 {
namespace kafka {

class Reaper {
 public:
  static Reaper& Get();
  ~Reaper();

  void Post(std::function<void()> job);
  // Waits until every job posted so far is done. For tests.
  void Drain();

 private:
  void Run();

  Mutex mutex_;
  Condition idle_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_REAPER_H_
