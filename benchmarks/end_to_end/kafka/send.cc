// Ours: asynchronous batches, one result a message.
#include <atomic>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "benchmarks/end_to_end/kafka/bare.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace {

using namespace tieline;

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

Message Make(const bench::Flags& flags, const std::string& body,
             const std::string& key) {
  Message message(body);
  if (!key.empty()) message.set_key(key);
  for (size_t h = 0; h < flags.headers; ++h) {
    message.set_property("header" + std::to_string(h), "some value");
  }
  return message;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Flags flags = bench::Flags::Parse(argc, argv);
  kafka::Register();
  Config config;
  config.brokers["bench"] = bench::BrokerOf(flags);
  config.queues[flags.queue] = bench::QueueOf(flags);
  config.queues[flags.queue].broker = "bench";
  auto bus = Bus::Open(config);
  Check(bus.status());
  SenderOptions options;
  options.stamp_ids = false;  // the yardstick's records have none
  options.max_pending = static_cast<uint32_t>(flags.credit);
  options.window = static_cast<uint32_t>(flags.credit);
  auto sender = (*bus)->OpenSender(flags.queue, options);
  Check(sender.status());

  const std::string body(flags.size, 'x');
  std::vector<std::string> keys(flags.keys == 0 ? 1 : flags.keys);
  for (size_t i = 0; i < flags.keys; ++i) keys[i] = "key" + std::to_string(i);
  Check((*sender)->Send(Make(flags, body, keys[0])).status);

  std::atomic<size_t> accepted = 0;
  std::atomic<size_t> failed = 0;
  const auto done = [&](std::span<const SendResult> results) {
    size_t ok = 0;
    for (const SendResult& r : results) ok += r.ok() ? 1 : 0;
    accepted += ok;
    failed += results.size() - ok;
  };
  const bench::Stopwatch watch;
  std::vector<Message> batch;
  for (size_t sent = 0; sent < flags.count;) {
    const size_t end = std::min(sent + 256, flags.count);
    batch.clear();
    for (size_t i = sent; i < end; ++i) {
      batch.push_back(Make(flags, body, keys[i % keys.size()]));
    }
    for (;;) {
      // A batch that is refused keeps its messages.
      // NOLINTNEXTLINE(bugprone-use-after-move)
      const absl::Status taken = (*sender)->SendBatch(std::move(batch), done);
      if (taken.ok()) break;
      if (!absl::IsResourceExhausted(taken)) Check(taken);
      // Full: wait until half of it is answered.
      while (sent - accepted - failed > flags.credit / 2) {
        absl::SleepFor(absl::Microseconds(200));
      }
    }
    sent = end;
  }
  Check((*sender)->Flush(absl::Minutes(2)));
  // The last results may still be on their way to `done`.
  while (accepted + failed < flags.count)
    absl::SleepFor(absl::Microseconds(50));
  return bench::Report("tieline", flags, accepted, flags.count - accepted,
                       watch);
}
