// A bus with every backend that was built, and what its programs send: bodies
// that begin with the message's number, keys in turn, and properties as the
// bare programs of that broker have them.
#ifndef TIELINE_BENCHMARKS_END_TO_END_BUS_OPEN_H_
#define TIELINE_BENCHMARKS_END_TO_END_BUS_OPEN_H_

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/end_to_end/bench.h"
#include "tieline/bus.h"
#if defined(TIELINE_WITH_MEMORY)
#include "tieline/memory.h"
#endif
#if defined(TIELINE_WITH_KAFKA)
#include "tieline/kafka.h"
#endif
#if defined(TIELINE_WITH_AMQP)
#include "tieline/amqp.h"
#endif

namespace tieline::bench {

inline void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

inline std::unique_ptr<Bus> OpenBus() {
#if defined(TIELINE_WITH_MEMORY)
  memory::Register();
#endif
#if defined(TIELINE_WITH_KAFKA)
  kafka::Register();
#endif
#if defined(TIELINE_WITH_AMQP)
  amqp::Register();
#endif
  auto bus = Bus::Open(Config{});
  Check(bus.status());
  return *std::move(bus);
}

// Makes the messages of a run, in turn.
class MessageMaker {
 public:
  explicit MessageMaker(const Flags& flags)
      : flags_(flags),
        amqp_(flags.url.starts_with("amqp")),
        body_(flags.size < 8 ? 8 : flags.size, 'x') {
    for (size_t i = 0; i < flags.keys; ++i) {
      keys_.push_back("key" + std::to_string(i));
    }
    for (size_t i = 0; !amqp_ && i < flags.headers; ++i) {
      headers_.push_back("header" + std::to_string(i));
    }
  }
  Message Make() {
    std::memcpy(body_.data(), &next_, sizeof(next_));
    Message message(body_);
    if (!keys_.empty()) message.set_key(keys_[next_ % keys_.size()]);
    if (amqp_ && flags_.headers > 0) {
      message.set_property("tenant", "acme-corp");
      message.set_property("type", "order.created");
      message.set_property("seq", Value(static_cast<int64_t>(next_)));
    }
    for (const std::string& name : headers_) {
      message.set_property(name, "some value");
    }
    ++next_;
    return message;
  }

 private:
  const Flags flags_;
  const bool amqp_;
  std::string body_;
  std::vector<std::string> keys_;
  std::vector<std::string> headers_;
  uint64_t next_ = 0;
};

// Counts what arrives: lost, twice, or before an earlier one of its key.
class MessageChecker {
 public:
  explicit MessageChecker(const Flags& flags)
      : keys_(flags.keys), seen_(flags.count), last_(flags.keys, -1) {}
  void Take(std::string_view body) {
    uint64_t number = ~uint64_t{0};
    if (body.size() >= sizeof(number)) {
      std::memcpy(&number, body.data(), sizeof(number));
    }
    if (number >= seen_.size() || seen_[number]) {
      ++extra_;
      return;
    }
    seen_[number] = true;
    ++distinct_;
    if (keys_ == 0) return;
    int64_t& last = last_[number % keys_];
    if (last > static_cast<int64_t>(number)) ++disordered_;
    last = static_cast<int64_t>(number);
  }
  size_t distinct() const { return distinct_; }
  bool complete() const { return distinct_ == seen_.size(); }
  size_t lost() const { return seen_.size() - distinct_; }
  size_t disordered() const { return disordered_; }
  size_t extra() const { return extra_; }

 private:
  const size_t keys_;
  std::vector<bool> seen_;
  std::vector<int64_t> last_;
  size_t distinct_ = 0;
  size_t disordered_ = 0;
  size_t extra_ = 0;
};

// Holds a run to Flags::rate.
class Pacer {
 public:
  explicit Pacer(size_t rate) : rate_(rate) {}
  // Waits until so many messages are due.
  void Await(size_t messages) const {
    if (rate_ == 0) return;
    const double ahead =
        static_cast<double>(messages) / static_cast<double>(rate_) -
        watch_.seconds();
    if (ahead <= 0) return;
    timespec wait{};
    wait.tv_sec = static_cast<time_t>(ahead);
    wait.tv_nsec =
        static_cast<long>((ahead - static_cast<double>(wait.tv_sec)) * 1e9);
    nanosleep(&wait, nullptr);
  }

 private:
  const size_t rate_;
  const Stopwatch watch_;
};

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_BUS_OPEN_H_
