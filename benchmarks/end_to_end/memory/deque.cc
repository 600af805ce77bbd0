// The yardstick that everyone writes first: a deque of strings under a mutex,
// filled and emptied 64 at a time.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "benchmarks/end_to_end/memory/crossing.h"

namespace {

struct Queue {
  void Put(std::vector<std::string>* batch) {
    {
      const std::lock_guard lock(mu);
      for (std::string& body : *batch) bodies.push_back(std::move(body));
    }
    arrived.notify_one();
    batch->clear();
  }
  void Take(size_t max, std::vector<std::string>* batch) {
    std::unique_lock lock(mu);
    arrived.wait(lock, [this] { return !bodies.empty(); });
    while (batch->size() < max && !bodies.empty()) {
      batch->push_back(std::move(bodies.front()));
      bodies.pop_front();
    }
  }

  std::mutex mu;
  std::condition_variable arrived;
  std::deque<std::string> bodies;
};

}  // namespace

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  Queue queue;
  Crossing crossing(flags);
  const Stopwatch watch;
  Cross(
      [&] {
        std::vector<std::string> batch;
        for (size_t sent = 0; sent < crossing.count();) {
          crossing.AwaitRoom(sent + kBatch);
          for (; batch.size() < kBatch && sent < crossing.count(); ++sent) {
            batch.emplace_back(crossing.Body(sent));
          }
          queue.Put(&batch);
        }
      },
      [&] {
        std::vector<std::string> batch;
        while (!crossing.Over()) {
          queue.Take(kBatch, &batch);
          for (const std::string& body : batch) crossing.Check(body);
          batch.clear();
          crossing.Done();
        }
      });
  return Report("deque", flags, flags.count, 0, watch);
}
