// Our queue, sent to, received from and completed in batches.
#include "benchmarks/end_to_end/memory/tieline.h"

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  TielineQueue queue;
  Crossing crossing(flags);
  const Stopwatch watch;
  CrossInBatches(queue, crossing);
  return Report("tieline-batches", flags, flags.count, 0, watch);
}
