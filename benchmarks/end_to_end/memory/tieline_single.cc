// Our queue, one message a call.
#include "benchmarks/end_to_end/memory/tieline.h"

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  TielineQueue queue;
  Crossing crossing(flags);
  const Stopwatch watch;
  CrossOneByOne(queue, crossing);
  return Report("tieline-single", flags, flags.count, 0, watch);
}
