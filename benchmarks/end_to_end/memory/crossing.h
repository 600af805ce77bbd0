// What all programs of this folder do alike: one thread makes numbered
// messages, another takes them and checks that none is missing, changed or out
// of order. The first is never more than kLead messages ahead, so that every
// queue is bounded by the same.
#ifndef TIELINE_BENCHMARKS_END_TO_END_MEMORY_CROSSING_H_
#define TIELINE_BENCHMARKS_END_TO_END_MEMORY_CROSSING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "benchmarks/end_to_end/bench.h"

namespace tieline::bench {

inline constexpr size_t kBatch = 64;
inline constexpr size_t kLead = 16384;

class Crossing {
 public:
  explicit Crossing(const Flags& flags)
      : count_(flags.count), body_(flags.size < 8 ? 8 : flags.size, 'x') {}

  size_t count() const { return count_; }
  // The body of the message with this number; until the next call. Producer.
  std::string_view Body(size_t number) {
    std::memcpy(body_.data(), &number, sizeof(number));
    return body_;
  }
  // Before the message with this number is sent. Producer.
  void AwaitRoom(size_t number) const {
    while (number - received_.load(std::memory_order_acquire) >= kLead) {
      std::this_thread::yield();
    }
  }
  // Ends the program unless it is the one that is due. Consumer.
  void Check(std::string_view body) {
    size_t number = ~size_t{0};
    if (body.size() == body_.size()) {
      std::memcpy(&number, body.data(), sizeof(number));
    }
    if (number != due_) {
      std::fprintf(stderr, "message %zu came where %zu was due\n", number,
                   due_);
      std::exit(1);
    }
    ++due_;
  }
  // What was checked is done with. Consumer.
  void Done() { received_.store(due_, std::memory_order_release); }
  bool Over() const { return due_ == count_; }

 private:
  const size_t count_;
  std::string body_;
  size_t due_ = 0;
  alignas(64) std::atomic<size_t> received_{0};
};

// Runs both sides until all messages have crossed; `produce` in a thread of its
// own.
template <typename Produce, typename Consume>
void Cross(Produce produce, Consume consume) {
  std::thread producer(produce);
  consume();
  producer.join();
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_MEMORY_CROSSING_H_
