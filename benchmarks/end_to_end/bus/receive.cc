// Receives and completes through the public interface, and checks that nothing
// is lost and every key is in order.
#include <vector>

#include "benchmarks/end_to_end/bus/open.h"
#include "benchmarks/end_to_end/checker.h"

int main(int argc, char** argv) {
  using namespace tieline;
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  auto bus = bench::OpenBus();
  ReceiverOptions options;
  options.credit = static_cast<uint32_t>(flags.credit);
  auto receiver = bus->OpenReceiver(flags.url, options);
  bench::Check(receiver.status());

  bench::MessageChecker checker(flags);
  auto batch = (*receiver)->ReceiveBatch(256, absl::Seconds(60));
  // The clock starts with the first messages: joining a group is not ours.
  const bench::Pacer pacer(flags.rate);
  const bench::Stopwatch watch;
  for (;;) {
    bench::Check(batch.status());
    for (const Delivery& d : *batch) checker.Take(d.message().body_view());
    bench::Check((*receiver)->CompleteAll(*std::move(batch)));
    if (checker.complete()) break;
    pacer.Await(checker.distinct());
    batch = (*receiver)->ReceiveBatch(256, absl::Seconds(60));
  }
  char more[80];
  const int n =
      std::snprintf(more, sizeof(more), ",\"disordered\":%zu,\"extra\":%zu",
                    checker.disordered(), checker.extra());
  const int code = bench::Report("tieline", flags, checker.distinct(),
                                 checker.lost() + checker.disordered(), watch,
                                 {more, static_cast<size_t>(n)});
  bench::Check((*receiver)->Flush(absl::Seconds(30)));
  bench::Check((*receiver)->Close(absl::Seconds(10)));
  return code;
}
