// Ours: batches, each message completed.
#include <vector>

#include "benchmarks/end_to_end/kafka/bare.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tieline;
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  kafka::Register();
  Config config;
  config.brokers["bench"] = bench::BrokerOf(flags);
  config.queues[flags.queue] = bench::QueueOf(flags);
  config.queues[flags.queue].broker = "bench";
  auto bus = Bus::Open(config);
  Check(bus.status());
  ReceiverOptions options;
  options.credit = static_cast<uint32_t>(flags.credit);
  auto receiver = (*bus)->OpenReceiver(flags.queue, options);
  Check(receiver.status());

  bench::Stopwatch watch;
  size_t received = 0;
  size_t bytes = 0;
  while (received < flags.count) {
    auto batch = (*receiver)->ReceiveBatch(256, absl::Seconds(60));
    Check(batch.status());
    if (received == 0) watch = bench::Stopwatch();
    received += batch->size();
    for (const Delivery& d : *batch) bytes += d.message().body_view().size();
    Check((*receiver)->CompleteAll(*std::move(batch)));
  }
  const size_t lost = bytes < flags.size * flags.count ? 1 : 0;
  const int code = bench::Report("tieline", flags, received, lost, watch);
  Check((*receiver)->Flush(absl::Seconds(30)));
  Check((*receiver)->Close(absl::Seconds(10)));
  return code;
}
