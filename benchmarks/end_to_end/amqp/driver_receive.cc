// The driver without the core: receives, checks and settles.
#include <string>
#include <vector>

#include "benchmarks/end_to_end/amqp/content.h"
#include "benchmarks/end_to_end/amqp/loop.h"

namespace {

using namespace tieline;

struct Sink final : driver::ReceiverSink {
  void OnOpened(const Capabilities&) override {}
  void OnDeliveries(std::span<driver::Inbound> deliveries) override {
    for (const driver::Inbound& one : deliveries) {
      bench::CheckBody(received++, one.message.body_view(), flags.size);
      if (flags.headers > 0) {
        const Properties& all = one.message.properties();
        const Value* tenant = all.Find("tenant");
        const Value* type = all.Find("type");
        const Value* seq = all.Find("seq");
        bench::CheckProperties(
            tenant && type && seq && tenant->AsString() == bench::kTenant &&
            type->AsString() == bench::kType && seq->AsInt64().has_value());
      }
      driver::Settlement& settlement = settlements.emplace_back();
      settlement.token = one.token;
    }
    handle->Settle(settlements);
    handle->Grant(driver::kAllLanes, static_cast<uint32_t>(settlements.size()),
                  0);
    settlements.clear();
  }
  void OnSettled(std::span<const driver::Settled> list) override {
    for (const driver::Settled& one : list) bench::Check(one.status);
    settled += list.size();
  }
  void OnLane(const driver::LaneEvent&) override {}
  void OnDrained() override {}
  void OnClosed(const absl::Status& why) override { bench::Check(why); }

  bench::Flags flags;
  driver::ReceiverDriver* handle = nullptr;
  std::vector<driver::Settlement> settlements;
  size_t received = 0;
  size_t settled = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Sink sink;
  sink.flags = bench::Flags::Parse(argc, argv);
  bench::Loop loop(sink.flags);
  driver::ReceiverSpec spec;
  spec.queue = bench::QueueOf(sink.flags);
  auto receiver = loop.connection->OpenReceiver(spec, &sink);
  bench::Check(receiver.status());
  sink.handle = receiver->get();
  sink.handle->Grant(driver::kAllLanes,
                     static_cast<uint32_t>(sink.flags.credit),
                     uint64_t{1} << 60);
  const bench::Stopwatch watch;
  while (sink.settled < sink.flags.count) loop.Turn();
  const int code = bench::Report("tieline", sink.flags, sink.settled, 0, watch);
  (*receiver)->Close();
  loop.Close();
  return code;
}
