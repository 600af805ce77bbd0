// Counters and histograms as values: what Bus::metrics() returns.
#ifndef TIELINE_METRICS_H_
#define TIELINE_METRICS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace tieline::inline v0 {

// Durations in buckets a quarter of an octave wide, from 1 us to over an hour.
struct Histogram {
  static constexpr int kBuckets = 128;
  std::array<uint64_t, kBuckets> counts{};
  uint64_t total = 0;

  static int BucketOf(int64_t ns);
  static absl::Duration UpperBound(int bucket);
  void Add(int64_t ns, uint64_t n = 1) {
    counts[static_cast<size_t>(BucketOf(ns))] += n;
    total += n;
  }
  void Merge(const Histogram& other);
  // The upper bound of the bucket in which the quantile lies; zero when empty.
  absl::Duration Quantile(double q) const;
};

struct SenderMetrics {
  std::string queue;
  std::string broker;
  uint64_t sent = 0;  // given by the application
  uint64_t accepted = 0;
  uint64_t rejected = 0;
  uint64_t failed = 0;   // ended as not sent or unknown
  uint64_t spooled = 0;  // ended as spooled
  uint64_t resent = 0;
  uint64_t pending = 0;   // without a result now
  uint64_t in_spool = 0;  // spooled, and not known to be at a broker
  uint64_t retained = 0;  // accepted, and kept for a move
};

struct ReceiverMetrics {
  std::string queue;
  std::string broker;
  uint64_t received = 0;
  uint64_t completed = 0;
  uint64_t abandoned = 0;
  uint64_t dead_lettered = 0;
  uint64_t stale = 0;       // settlements answered kAborted
  uint64_t suppressed = 0;  // second copies, completed and not delivered
  uint64_t unsettled = 0;
  uint64_t stalled_lanes = 0;
};

struct RouteMetrics {
  std::string route;
  uint64_t received = 0;
  uint64_t relayed = 0;
  uint64_t filtered = 0;
  uint64_t failed_attempts = 0;
  uint64_t dead_lettered = 0;
  uint64_t in_flight = 0;
  Histogram residence;  // delivery to submit
  Histogram latency;    // delivery to the destination's answer
};

struct BrokerMetrics {
  std::string broker;
  bool up = false;
  uint64_t connects = 0;
  uint64_t losses = 0;
  std::string last_error;
};

struct MetricsSnapshot {
  std::vector<BrokerMetrics> brokers;
  std::vector<SenderMetrics> senders;
  std::vector<ReceiverMetrics> receivers;
  std::vector<RouteMetrics> routes;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_METRICS_H_
