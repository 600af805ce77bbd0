// Moves a queue between two brokers, there and back, under load, and looks at
// every message:
//
//   move_check --from URL --to URL --moves N --rate 2000 --keys 500
//
// One process sends and handles. Prints one JSON object: what was lost, took
// effect twice or came out of order, and how long a sender paused at a move.
// Exit codes: 0 all well, 1 something is not as it should be, 2 wrong usage or
// a broker that does not answer.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/acceptance/move_effects.h"
#include "tests/acceptance/move_load.h"
#include "tests/acceptance/move_setup.h"
#include "tieline/bus.h"

namespace tieline::move_check {
namespace {

using Json = nlohmann::json;

struct Options {
  SetupOptions setup;
  int moves = 50;
  int warm = 0;
  double rate = 2000;
  uint64_t keys = 500;
  double wait_s = 60;
  bool verbose = false;
};

// Knows the longest time that a message took.
class Pauses final : public LoadObserver {
 public:
  explicit Pauses(Effects* effects) : effects_(effects) {}

  void OnIntended(uint64_t /*number*/) override {}
  void OnResult(uint64_t number, const SendResult& result,
                absl::Duration took) override {
    if (result.ok()) {
      effects_->OnAccepted(number);
    } else {
      ++failed_;
    }
    const std::lock_guard lock(mu_);
    slowest_ = std::max(slowest_, took);
  }
  // Since the last call, of what was given in that time.
  absl::Duration TakeSlowest() {
    const std::lock_guard lock(mu_);
    return std::exchange(slowest_, absl::ZeroDuration());
  }
  uint64_t failed() const { return failed_; }

 private:
  Effects* const effects_;
  std::atomic<uint64_t> failed_{0};
  std::mutex mu_;
  absl::Duration slowest_;
};

int Fail(std::string_view what, const absl::Status& status) {
  fmt::print(stderr, "move_check: {}: {}\n", what, status.ToString());
  return 2;
}

double Percentile(std::vector<double> sorted, double p) {
  if (sorted.empty()) return 0;
  std::sort(sorted.begin(), sorted.end());
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::min(p * last + 0.5, last))];
}

// What the process holds, as the kernel says.
struct Resources {
  double rss_kib = 0;
  double descriptors = 0;
  double threads = 0;
};

Resources ResourcesNow() {
  Resources now;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) now.rss_kib = std::stod(line.substr(6));
    if (line.starts_with("Threads:")) now.threads = std::stod(line.substr(8));
  }
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++now.descriptors;
  }
  return now;
}

// Medians of what was seen from one part of the run to another.
Json Medians(const std::vector<Resources>& all, double from, double to) {
  std::vector<double> rss, descriptors, threads;
  const auto size = static_cast<double>(all.size());
  for (size_t i = static_cast<size_t>(from * size);
       i < static_cast<size_t>(to * size); ++i) {
    rss.push_back(all[i].rss_kib);
    descriptors.push_back(all[i].descriptors);
    threads.push_back(all[i].threads);
  }
  return {{"rss_kib", Percentile(rss, 0.5)},
          {"descriptors", Percentile(descriptors, 0.5)},
          {"threads", Percentile(threads, 0.5)}};
}

struct Seen {
  std::vector<double> pauses_ms;
  std::vector<double> held_ms;
  std::vector<double> took_s;
  Json proofs = Json::object();
  uint64_t in_flight = 0;
  uint64_t in_doubt = 0;
  uint64_t late = 0;
  std::vector<Resources> resources;
  std::string fault;
};

// One move under load. False when it did not end.
bool MoveOnce(Bus& bus, const Config& next, const Options& options,
              Pauses& pauses, Seen* seen) {
  const absl::Time begin = absl::Now();
  absl::StatusOr<ChangePlan> plan = bus.Plan(next);
  if (!plan.ok()) {
    seen->fault = plan.status().ToString();
    return false;
  }
  pauses.TakeSlowest();
  auto moving = bus.Apply(*plan);
  absl::Status moved = moving.status();
  if (moved.ok()) moved = (*moving)->Wait(absl::Seconds(options.wait_s));
  if (!moved.ok()) {
    seen->fault = moved.ToString();
    return false;
  }
  const MoveReport report = (*moving)->reports().front();
  seen->pauses_ms.push_back(absl::ToDoubleMilliseconds(pauses.TakeSlowest()));
  seen->held_ms.push_back(absl::ToDoubleMilliseconds(report.longest_pause));
  seen->took_s.push_back(absl::ToDoubleSeconds(absl::Now() - begin));
  seen->in_flight += report.in_flight;
  seen->in_doubt += report.in_doubt;
  seen->late += report.late;
  seen->resources.push_back(ResourcesNow());
  auto& count = seen->proofs[report.proof];
  count = count.is_null() ? 1 : count.get<int>() + 1;
  return true;
}

int Run(const Options& options) {
  const auto setup = Setup::Make(options.setup);
  if (!setup.ok()) return Fail("config", setup.status());
  BusOptions bus_options;
  if (options.verbose) {
    bus_options.log = [](LogLevel, std::string_view text) {
      fmt::print(stderr, "{}\n", text);
    };
  }
  auto bus = Bus::Open(setup->At(1), bus_options);
  if (!bus.ok()) return Fail("open", bus.status());
  Effects effects(options.keys);
  auto receiver = (*bus)->OpenReceiver(kQueue);
  if (!receiver.ok()) return Fail("receiver", receiver.status());
  if (const absl::Status open = (*receiver)->WaitOpen(absl::Seconds(60));
      !open.ok()) {
    return Fail("receiver", open);
  }
  ProcessorOptions processing;
  processing.concurrency = 4;
  processing.order = Order::kPerKey;
  auto processor = (*receiver)->Process(processing, [&](Delivery& delivery) {
    const std::string body(delivery.message().body_view());
    effects.OnHandled(std::stoull(body),
                      delivery.late() || delivery.redelivered());
    return absl::OkStatus();
  });
  Seen seen;
  Pauses pauses(&effects);
  LoadOptions load_options;
  load_options.rate = options.rate;
  load_options.keys = options.keys;
  load_options.wait = absl::Seconds(options.wait_s);
  const auto load = Load::Start(**bus, load_options, &pauses);
  if (!load.ok()) return Fail("sender", load.status());
  Seen warming;
  const int warm = 2 * options.warm;
  const int all = warm + 2 * options.moves - 1;
  for (int i = 0; i < all && seen.fault.empty(); ++i) {
    if (i == warm) warming = std::exchange(seen, {});
    const uint64_t before = (*load)->sent();
    while ((*load)->sent() <
           before + static_cast<uint64_t>(options.rate / 10)) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    const Config next = setup->At(static_cast<uint64_t>(i) + 2);
    if (!MoveOnce(**bus, next, options, pauses, &seen)) break;
    if (options.verbose || i % 10 == 9) {
      fmt::print(stderr, "{} moves, {} sent, {} handled\n", i + 1,
                 (*load)->sent(), effects.counts().handled);
    }
  }
  const bool flushed = (*load)->Stop();
  const absl::Time until = absl::Now() + absl::Seconds(options.wait_s);
  while (effects.counts().lost > 0 && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  const Effects::Counts counts = effects.counts();
  Json result = {{"handled", counts.handled},
                 {"lost", counts.lost},
                 {"twice", counts.twice},
                 {"out_of_order", counts.out_of_order},
                 {"out_of_order_marked", counts.out_of_order_marked}};
  result["sent"] = (*load)->sent();
  result["failed"] = pauses.failed();
  result["flushed"] = flushed;
  result["moves"] = seen.took_s.size();
  result["pause_ms"] = {{"p50", Percentile(seen.pauses_ms, 0.5)},
                        {"p99", Percentile(seen.pauses_ms, 0.99)},
                        {"max", Percentile(seen.pauses_ms, 1)}};
  result["cold_pause_ms"] = Percentile(warming.pauses_ms, 1);
  result["held_ms"] = {{"p50", Percentile(seen.held_ms, 0.5)},
                       {"max", Percentile(seen.held_ms, 1)}};
  result["took_s"] = {{"p50", Percentile(seen.took_s, 0.5)},
                      {"max", Percentile(seen.took_s, 1)}};
  result["proofs"] = seen.proofs;
  result["in_flight"] = seen.in_flight;
  result["in_doubt"] = seen.in_doubt;
  result["late"] = seen.late;
  result["at_first"] = Medians(seen.resources, 0.1, 0.3);
  result["at_the_end"] = Medians(seen.resources, 0.8, 1);
  result["fault"] = seen.fault;
  fmt::print("{}\n", result.dump());
  const bool well = result["lost"] == 0 && result["twice"] == 0 &&
                    result["out_of_order"] == 0 && seen.fault.empty() &&
                    pauses.failed() == 0;
  processor->Stop(absl::Seconds(10)).IgnoreError();
  return well ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Moves a queue between brokers under load and checks it.");
  Options options;
  app.add_option("--from", options.setup.from, "URL of the queue at first")
      ->required();
  app.add_option("--to", options.setup.to,
                 "URL that it moves to, and back from")
      ->required();
  app.add_option("--state", options.setup.state_file, "State file");
  app.add_option("--moves", options.moves, "Moves in that direction");
  app.add_option("--warm", options.warm,
                 "Moves there and back before those, whose pauses are apart: "
                 "brokers that were just started answer slowly");
  app.add_option("--rate", options.rate, "Messages a second");
  app.add_option("--keys", options.keys, "Keys");
  app.add_option("--quiet-period", options.setup.quiet_s, "In seconds");
  app.add_option("--wait", options.wait_s, "For one move, in seconds");
  app.add_flag("--verbose", options.verbose, "Say what happens");
  CLI11_PARSE(app, argc, argv);
  RegisterBackends();
  return Run(options);
}

}  // namespace
}  // namespace tieline::move_check

int main(int argc, char** argv) {
  return tieline::move_check::Main(argc, argv);
}
