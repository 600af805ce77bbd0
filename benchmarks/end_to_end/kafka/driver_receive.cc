// The adapter alone, without the core: receive and complete.
#include <vector>

#include "benchmarks/end_to_end/checker.h"
#include "benchmarks/end_to_end/kafka/loop.h"

namespace {

using namespace tieline;

struct Sink final : driver::ReceiverSink {
  explicit Sink(const bench::Flags& flags) : checker(flags) {}
  void OnOpened(const Capabilities&) override {}
  void OnDeliveries(std::span<driver::Inbound> deliveries) override {
    if (received == 0) watch = bench::Stopwatch();
    settlements.clear();
    for (driver::Inbound& in : deliveries) {
      const Message message = std::move(in.message);
      checker.Take(message.body_view());
      settlements.emplace_back().token = in.token;
    }
    received += deliveries.size();
    handle->Settle(settlements);
    handle->Grant(driver::kAllLanes, static_cast<uint32_t>(deliveries.size()),
                  0);
  }
  void OnSettled(std::span<const driver::Settled> settled) override {
    confirmed += settled.size();
  }
  void OnLane(const driver::LaneEvent&) override {}
  void OnDrained() override {}
  void OnClosed(const absl::Status& why) override { bench::Loop::Check(why); }

  driver::ReceiverDriver* handle = nullptr;
  bench::MessageChecker checker;
  bench::Stopwatch watch;
  size_t received = 0;
  size_t confirmed = 0;
  std::vector<driver::Settlement> settlements;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  bench::Loop loop(flags);
  Sink sink(flags);
  driver::ReceiverSpec spec;
  spec.queue = bench::QueueOf(flags);
  auto opened = loop.connection->OpenReceiver(spec, &sink);
  bench::Loop::Check(opened.status());
  sink.handle = opened->get();
  sink.handle->Grant(driver::kAllLanes, static_cast<uint32_t>(flags.credit),
                     uint64_t{1} << 40);
  while (!sink.checker.complete()) loop.Turn();
  const bench::MessageChecker& checker = sink.checker;
  const int code =
      bench::Report("driver", flags, checker.distinct(),
                    checker.lost() + checker.disordered(), sink.watch);
  while (sink.confirmed < sink.received) loop.Turn();
  return code;
}
