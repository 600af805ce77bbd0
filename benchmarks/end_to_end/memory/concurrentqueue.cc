// The fast yardstick: moodycamel's lock-free queue of strings, 64 at a time,
// with tokens, as its documentation advises.
#include <concurrentqueue/concurrentqueue.h>

#include <array>
#include <iterator>
#include <vector>

#include "benchmarks/end_to_end/memory/crossing.h"

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  moodycamel::ConcurrentQueue<std::string> queue(kLead);
  Crossing crossing(flags);
  const Stopwatch watch;
  Cross(
      [&] {
        const moodycamel::ProducerToken token(queue);
        std::vector<std::string> batch;
        for (size_t sent = 0; sent < crossing.count();) {
          crossing.AwaitRoom(sent + kBatch);
          for (; batch.size() < kBatch && sent < crossing.count(); ++sent) {
            batch.emplace_back(crossing.Body(sent));
          }
          queue.enqueue_bulk(token, std::make_move_iterator(batch.begin()),
                             batch.size());
          batch.clear();
        }
      },
      [&] {
        moodycamel::ConsumerToken token(queue);
        std::array<std::string, kBatch> batch;
        while (!crossing.Over()) {
          const size_t n = queue.try_dequeue_bulk(token, batch.begin(), kBatch);
          if (n == 0) std::this_thread::yield();
          for (size_t i = 0; i < n; ++i) {
            crossing.Check(batch[i]);
            batch[i] = std::string();
          }
          if (n > 0) crossing.Done();
        }
      });
  return Report("concurrentqueue", flags, flags.count, 0, watch);
}
