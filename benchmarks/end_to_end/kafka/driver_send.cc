// The adapter alone, without the core: what it adds to bare librdkafka.
#include <vector>

#include "benchmarks/end_to_end/kafka/loop.h"
#include "benchmarks/end_to_end/maker.h"

namespace {

using namespace tieline;

struct Sink final : driver::SenderSink {
  void OnOpened(const Capabilities&) override { open = true; }
  void OnSendable() override {}
  void OnOutcomes(std::span<const driver::Outcome> outcomes) override {
    for (const driver::Outcome& o : outcomes) {
      messages[o.cookie] = Message();
      if (o.fate == driver::Fate::kAccepted) {
        ++accepted;
      } else {
        ++failed;
      }
    }
  }
  void OnClosed(const absl::Status& why) override { bench::Loop::Check(why); }

  bool open = false;
  size_t accepted = 0;
  size_t failed = 0;
  std::vector<Message> messages;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  bench::Loop loop(flags);
  Sink sink;
  sink.messages.resize(flags.count + 1);
  driver::SenderSpec spec{bench::QueueOf(flags)};
  auto opened = loop.connection->OpenSender(spec, &sink);
  bench::Loop::Check(opened.status());
  while (!sink.open) loop.Turn();

  bench::MessageMaker maker(flags);
  std::vector<driver::Outbound> batch;
  sink.messages[0] = maker.Make();
  batch.push_back({0, &sink.messages[0]});
  (*opened)->Submit(batch, false);
  while (sink.accepted == 0) loop.Turn();
  sink.accepted = 0;

  const bench::Stopwatch watch;
  size_t sent = 0;
  while (sink.accepted + sink.failed < flags.count) {
    batch.clear();
    const size_t open = sent - sink.accepted - sink.failed;
    const size_t room = open < flags.credit ? flags.credit - open : 0;
    for (size_t i = 0;
         i < std::min<size_t>(room, 256) && sent + batch.size() < flags.count;
         ++i) {
      const size_t cookie = sent + batch.size() + 1;
      sink.messages[cookie] = maker.Make();
      batch.push_back({cookie, &sink.messages[cookie]});
    }
    sent += (*opened)->Submit(batch, false);
    if (batch.empty()) {
      loop.Turn();
    } else {
      loop.connection->Run(Clock::System()->Steady());
    }
  }
  return bench::Report("driver", flags, sink.accepted, sink.failed, watch);
}
