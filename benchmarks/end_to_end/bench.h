// What the end-to-end programs share: flags in, one line of JSON out.
#ifndef TIELINE_BENCHMARKS_END_TO_END_BENCH_H_
#define TIELINE_BENCHMARKS_END_TO_END_BENCH_H_

#include <sys/resource.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace tieline::bench {

struct Flags {
  std::string url = "kafka://127.0.0.1:9092";
  std::string queue = "bench";
  std::string group = "bench";
  size_t count = 1000000;
  size_t size = 100;
  size_t headers = 0;
  size_t keys = 1000;  // 0: messages without a key
  size_t credit = 100000;
  std::string to;      // relays: the other URL
  size_t rate = 0;     // messages a second, at most; 0: as fast as it goes
  size_t seconds = 0;  // relays: end after so long, whatever was relayed
  std::string state;   // relays: second copies are suppressed, by this file

  // "--name value" pairs. Ends the program on what it does not know.
  static Flags Parse(int argc, char** argv) {
    Flags flags;
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string_view name = argv[i];
      const char* value = argv[i + 1];
      const auto number = [&] { return std::strtoull(value, nullptr, 10); };
      if (name == "--url") {
        flags.url = value;
      } else if (name == "--queue") {
        flags.queue = value;
      } else if (name == "--group") {
        flags.group = value;
      } else if (name == "--count") {
        flags.count = number();
      } else if (name == "--size") {
        flags.size = number();
      } else if (name == "--headers") {
        flags.headers = number();
      } else if (name == "--keys") {
        flags.keys = number();
      } else if (name == "--credit") {
        flags.credit = number();
      } else if (name == "--to") {
        flags.to = value;
      } else if (name == "--rate") {
        flags.rate = number();
      } else if (name == "--seconds") {
        flags.seconds = number();
      } else if (name == "--state") {
        flags.state = value;
      } else {
        std::fprintf(stderr, "unknown flag %s\n", argv[i]);
        std::exit(2);
      }
    }
    return flags;
  }
};

inline double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9;
}

// Wall time and the process's CPU time since it was made.
class Stopwatch {
 public:
  double seconds() const { return Seconds(CLOCK_MONOTONIC) - wall_; }
  double cpu_seconds() const {
    return Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_;
  }
  // The part of cpu_seconds that was not the kernel's; to a few milliseconds.
  double user_seconds() const { return User() - user_; }

 private:
  static double User() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
  }

  double wall_ = Seconds(CLOCK_MONOTONIC);
  double cpu_ = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  double user_ = User();
};

// The one line that scripts/bench reads. `lost` messages make it exit with 1.
// `more`: further members, each after a comma.
inline int Report(std::string_view side, const Flags& flags, size_t messages,
                  size_t lost, const Stopwatch& watch,
                  std::string_view more = "") {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double seconds = watch.seconds();
  const double cpu = watch.cpu_seconds();
  const auto n = static_cast<double>(messages);
  std::printf(
      "{\"side\":\"%.*s\",\"messages\":%zu,\"lost\":%zu,\"size\":%zu,"
      "\"headers\":%zu,\"keys\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,"
      "\"user_seconds\":%.6f,\"rate\":%.0f,\"cpu_ns_per_message\":%.1f,"
      "\"max_rss_kib\":%ld%.*s}\n",
      static_cast<int>(side.size()), side.data(), messages, lost, flags.size,
      flags.headers, flags.keys, seconds, cpu, watch.user_seconds(),
      n / seconds, cpu / n * 1e9, usage.ru_maxrss,
      static_cast<int>(more.size()), more.data());
  return lost == 0 ? 0 : 1;
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_BENCH_H_
