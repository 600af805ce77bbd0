// Both ends of a relay run:
//
//   relay_check produce URL --count N    sends messages 0 to N - 1
//   relay_check verify URL --count N     receives until all are there, or until
//                                        nothing came for a while, and compares
//
// SIGTERM ends produce early; it prints how many it sent. verify --end FILE is
// told of that: the file holds the count as soon as it is there.
//
// The same --keys, --seed and so on must be given to both. Exit codes: 0 all
// well, 1 something is lost, out of order or different, 2 wrong usage or a
// broker that does not answer.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/acceptance/relay_messages.h"
#include "tests/acceptance/relay_tally.h"
#include "tieline/bus.h"
#ifdef TIELINE_HAS_AMQP
#include "tieline/amqp.h"
#endif
#ifdef TIELINE_HAS_KAFKA
#include "tieline/kafka.h"
#endif
#ifdef TIELINE_HAS_MEMORY
#include "tieline/memory.h"
#endif

namespace tieline::relay_check {
namespace {

struct Options {
  std::string url;
  uint64_t count = 1000;
  uint64_t first = 0;
  Plan plan;
  bool no_large_bodies = false;
  bool no_user_ids = false;
  double rate = 0;  // messages a second; 0: as fast as it goes
  double idle_s = 60;
  std::string end_file;
  std::vector<std::string> may_differ;
};

int Fail(std::string_view what, const absl::Status& status) {
  fmt::print(stderr, "relay_check: {}: {}\n", what, status.ToString());
  return 2;
}

constexpr size_t kBatch = 500;

volatile std::sig_atomic_t g_end = 0;
void EndEarly(int) { g_end = 1; }

// Sends a batch, again and again what was not accepted: its ids stay.
absl::Status SendAll(Sender* sender, std::vector<Message> batch) {
  constexpr int kTries = 20;
  absl::Status last;
  for (int i = 0; i < kTries && !batch.empty(); ++i) {
    std::vector<Message> again;
    SendOptions options;
    options.timeout = absl::Seconds(60);
    for (SendResult& r : sender->SendBatch(std::move(batch), options)) {
      if (r.ok()) continue;
      if (r.state == SendState::kRejected) return r.status;
      last = r.status;
      again.push_back(std::move(r.message));
    }
    batch = std::move(again);
  }
  return batch.empty() ? absl::OkStatus() : last;
}

int Produce(const Options& options) {
  auto bus = Bus::Open(Config());
  if (!bus.ok()) return Fail("bus", bus.status());
  auto sender = (*bus)->OpenSender(options.url);
  if (!sender.ok()) return Fail(options.url, sender.status());
  const absl::Status open = (*sender)->WaitOpen(absl::Seconds(30));
  if (!open.ok()) return Fail(options.url, open);
  std::signal(SIGTERM, EndEarly);
  const absl::Time start = absl::Now();
  uint64_t i = options.first;
  while (i < options.count && g_end == 0) {
    std::vector<Message> batch;
    const size_t size = options.rate > 0 ? 50 : kBatch;
    for (; i < options.count && batch.size() < size; ++i) {
      batch.push_back(MakeMessage(options.plan, i));
    }
    const absl::Status status = SendAll(sender->get(), std::move(batch));
    if (!status.ok()) return Fail(options.url, status);
    if (options.rate <= 0) continue;
    const auto done = static_cast<double>(i - options.first);
    absl::SleepFor(start + absl::Seconds(done / options.rate) - absl::Now());
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  fmt::print("{{\"sent\": {}, \"seconds\": {:.1f}}}\n", i - options.first,
             seconds);
  const absl::Status closed = (*sender)->Close(absl::Seconds(30));
  return closed.ok() ? 0 : Fail("close", closed);
}

// Ends the tally where the file says, if it is there.
void LookForEnd(const std::string& path, Tally* tally) {
  if (path.empty()) return;
  std::ifstream file(path);
  uint64_t count = 0;
  if (file >> count) tally->EndAt(count);
}

int Verify(const Options& options) {
  auto bus = Bus::Open(Config());
  if (!bus.ok()) return Fail("bus", bus.status());
  auto receiver = (*bus)->OpenReceiver(options.url);
  if (!receiver.ok()) return Fail(options.url, receiver.status());
  Tally tally(options.plan, options.count,
              {options.may_differ.begin(), options.may_differ.end()});
  const absl::Duration idle = absl::Seconds(options.idle_s);
  // After the last, duplicates may follow: these are waited for shortly.
  constexpr absl::Duration kAfter = absl::Seconds(2);
  absl::Time last = absl::Now();
  while (true) {
    auto batch = (*receiver)->ReceiveBatch(kBatch, std::min(kAfter, idle));
    LookForEnd(options.end_file, &tally);
    if (!batch.ok()) {
      if (!absl::IsDeadlineExceeded(batch.status())) {
        return Fail(options.url, batch.status());
      }
      if (tally.complete() || absl::Now() - last >= idle) break;
      continue;
    }
    last = absl::Now();
    for (const Delivery& d : *batch) tally.Add(d.message());
    const absl::Status done = (*receiver)->CompleteAll(*std::move(batch));
    // A stale token's message comes again, as a duplicate.
    if (!done.ok() && !absl::IsAborted(done)) return Fail(options.url, done);
  }
  fmt::print("{}\n", tally.Report());
  const absl::Status flushed = (*receiver)->Flush(absl::Seconds(30));
  if (!flushed.ok()) return Fail("flush", flushed);
  const absl::Status closed = (*receiver)->Close(absl::Seconds(30));
  if (!closed.ok()) return Fail("close", closed);
  return tally.ok() ? 0 : 1;
}

void AddOptions(CLI::App* app, Options* o) {
  app->add_option("URL", o->url, "The queue")->required();
  app->add_option("--count", o->count, "Messages of the whole run");
  app->add_option("--keys", o->plan.keys)->check(CLI::PositiveNumber);
  app->add_option("--seed", o->plan.seed);
  app->add_flag("--no-large-bodies", o->no_large_bodies);
  app->add_flag("--no-user-ids", o->no_user_ids);
}

}  // namespace
}  // namespace tieline::relay_check

int main(int argc, char** argv) {
  using namespace tieline::relay_check;
  CLI::App app("Both ends of a relay run");
  app.require_subcommand(1);
  Options options;
  CLI::App* produce = app.add_subcommand("produce", "Send the messages");
  AddOptions(produce, &options);
  produce->add_option("--first", options.first, "Begin with this number");
  produce->add_option("--rate", options.rate, "Messages a second");
  CLI::App* verify = app.add_subcommand("verify", "Receive and compare them");
  AddOptions(verify, &options);
  verify->add_option("--idle", options.idle_s,
                     "Seconds without a message until the rest is lost");
  verify->add_option("--end", options.end_file,
                     "A file that will hold the count if it is less");
  verify->add_option("--may-differ", options.may_differ,
                     "A field whose differences are counted only");
  CLI11_PARSE(app, argc, argv);
  options.plan.large_bodies = !options.no_large_bodies;
  options.plan.user_ids = !options.no_user_ids;
#ifdef TIELINE_HAS_AMQP
  tieline::amqp::Register();
#endif
#ifdef TIELINE_HAS_KAFKA
  tieline::kafka::Register();
#endif
#ifdef TIELINE_HAS_MEMORY
  tieline::memory::Register();
#endif
  return produce->parsed() ? Produce(options) : Verify(options);
}
