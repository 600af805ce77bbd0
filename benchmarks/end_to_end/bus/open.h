// A bus with every backend that was built, and its programs' pace.
#ifndef TIELINE_BENCHMARKS_END_TO_END_BUS_OPEN_H_
#define TIELINE_BENCHMARKS_END_TO_END_BUS_OPEN_H_

#include <ctime>
#include <memory>
#include <utility>

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

inline void RegisterBackends() {
#if defined(TIELINE_WITH_MEMORY)
  memory::Register();
#endif
#if defined(TIELINE_WITH_KAFKA)
  kafka::Register();
#endif
#if defined(TIELINE_WITH_AMQP)
  amqp::Register();
#endif
}

inline std::unique_ptr<Bus> OpenBus(Config config = {}) {
  RegisterBackends();
  auto bus = Bus::Open(std::move(config));
  Check(bus.status());
  return *std::move(bus);
}

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
