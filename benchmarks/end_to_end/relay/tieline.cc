// A route of ours from --url to --to, through the public interface. Ends when
// --count messages were relayed, or after --seconds. With --state second copies
// are suppressed.
#include <time.h>

#include "benchmarks/end_to_end/bus/open.h"
#include "benchmarks/end_to_end/relay/memory_use.h"

namespace {

void Pause() {
  const timespec wait{0, 2000000};
  nanosleep(&wait, nullptr);
}

// The queue of a URL, by its name in the config.
std::string Named(const std::string& url, tieline::Config* config) {
  auto name = config->AddUrl(url);
  tieline::bench::Check(name.status());
  return *std::move(name);
}

// Those of `all` that are not in `earlier`.
tieline::Histogram Since(tieline::Histogram all,
                         const tieline::Histogram& earlier) {
  for (size_t i = 0; i < all.counts.size(); ++i) {
    all.counts[i] -= earlier.counts[i];
  }
  all.total -= earlier.total;
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tieline;
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  bench::RegisterBackends();
  Config whole;
  RouteConfig config;
  config.from = Named(flags.url, &whole);
  config.to = Named(flags.to, &whole);
  config.credit = static_cast<uint32_t>(flags.credit);
  if (!flags.state.empty()) {
    whole.state_file = flags.state;
    whole.queues[config.from].dedupe = absl::Hours(1);
  }
  auto bus = bench::OpenBus(std::move(whole));
  auto route = bus->StartRoute(config);
  bench::Check(route.status());

  // The clock starts with the first message: joining a group is not ours.
  const bench::Stopwatch patience;
  RouteMetrics first = (*route)->metrics();
  while (first.relayed == 0) {
    if (patience.seconds() > 60) bench::Check((*route)->health());
    if (patience.seconds() > 60) return 1;
    Pause();
    first = (*route)->metrics();
  }
  const bench::Stopwatch watch;
  bench::MemoryUse memory;
  RouteMetrics now = first;
  double progress = 0;
  while (now.relayed < flags.count) {
    Pause();
    const uint64_t before = now.relayed;
    now = (*route)->metrics();
    memory.Sample(watch.seconds());
    if (now.relayed > before) progress = watch.seconds();
    if (flags.seconds > 0 &&
        watch.seconds() >= static_cast<double>(flags.seconds)) {
      break;
    }
    if (watch.seconds() - progress > 60) break;  // stuck: reported as lost
  }
  const size_t lost = flags.seconds > 0 || now.relayed >= flags.count
                          ? now.dead_lettered
                          : flags.count - now.relayed;
  const Histogram residence = Since(now.residence, first.residence);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  char more[384];
  const int n = std::snprintf(
      more, sizeof(more),
      ",\"residence_p50_us\":%.2f,\"residence_p99_us\":%.2f,"
      "\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f,"
      "\"rss_early_kib\":%ld,\"rss_late_kib\":%ld,\"rss_most_kib\":%ld,"
      "\"preemptions\":%ld",
      absl::ToDoubleMicroseconds(residence.Quantile(0.5)),
      absl::ToDoubleMicroseconds(residence.Quantile(0.99)),
      absl::ToDoubleMicroseconds(now.latency.Quantile(0.5)),
      absl::ToDoubleMicroseconds(now.latency.Quantile(0.99)), memory.early(),
      memory.late(), memory.most(), usage.ru_nivcsw);
  const int code = bench::Report("tieline", flags, now.relayed - first.relayed,
                                 lost, watch, {more, static_cast<size_t>(n)});
  bench::Check((*route)->Stop(absl::Seconds(10)));
  return code;
}
