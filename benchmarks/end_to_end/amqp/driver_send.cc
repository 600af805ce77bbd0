// The driver without the core: sends and counts what was accepted.
#include <string>
#include <vector>

#include "benchmarks/end_to_end/amqp/content.h"
#include "benchmarks/end_to_end/amqp/loop.h"

namespace {

using namespace tieline;

struct Sink final : driver::SenderSink {
  void OnOpened(const Capabilities&) override {}
  void OnSendable() override {}
  void OnOutcomes(std::span<const driver::Outcome> outcomes) override {
    for (const driver::Outcome& one : outcomes) {
      ++(one.fate == driver::Fate::kAccepted ? accepted : failed);
    }
  }
  void OnClosed(const absl::Status& why) override { bench::Check(why); }

  size_t accepted = 0;
  size_t failed = 0;
};

Message Make(const bench::Flags& flags, uint64_t number, std::string* body) {
  bench::NumberBody(number, body->data());
  Message message(*body);
  if (flags.headers > 0) {
    message.set_property("tenant", Value(bench::kTenant));
    message.set_property("type", Value(bench::kType));
    message.set_property("seq", Value(static_cast<int64_t>(number)));
  }
  return message;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  bench::Loop loop(flags);
  Sink sink;
  auto sender =
      loop.connection->OpenSender({bench::QueueOf(flags), false}, &sink);
  bench::Check(sender.status());

  std::string body = bench::FirstBody(flags.size);
  std::vector<Message> messages(256);
  std::vector<driver::Outbound> batch;
  const bench::Stopwatch watch;
  size_t sent = 0;
  size_t made = 0;
  while (sink.accepted + sink.failed < flags.count) {
    // What was not taken is submitted again.
    const size_t done = sink.accepted + sink.failed;
    const size_t window = std::min(flags.count, done + flags.credit);
    const size_t end = std::min(window, sent + messages.size());
    for (; made < end; ++made) {
      messages[made % messages.size()] = Make(flags, made, &body);
    }
    batch.clear();
    for (size_t i = sent; i < end; ++i) {
      batch.push_back({i, &messages[i % messages.size()]});
    }
    const size_t taken = batch.empty() ? 0 : (*sender)->Submit(batch, false);
    sent += taken;
    if (taken < 256) loop.Turn();
  }
  const int code =
      bench::Report("tieline", flags, sink.accepted, sink.failed, watch);
  (*sender)->Close();
  loop.Close();
  return code;
}
