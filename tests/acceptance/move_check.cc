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
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
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

namespace tieline::move_check {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string from;
  std::string to;
  std::string state_file;
  int moves = 50;
  int warm = 0;
  double rate = 2000;
  int keys = 500;
  double quiet_s = 1;
  double wait_s = 60;
  bool verbose = false;
};

// What became of the messages: number n has key n % keys, and is its key's
// n / keys-th.
class Effects {
 public:
  explicit Effects(int keys) : last_(static_cast<size_t>(keys), -1) {}

  void OnSent(uint64_t number) {
    const std::lock_guard lock(mu_);
    Grow(number);
    accepted_[number] = true;
  }
  void OnHandled(uint64_t number, bool is_marked) {
    const std::lock_guard lock(mu_);
    Grow(number);
    if (handled_[number]++ > 0) {
      ++twice_;
      return;
    }
    int64_t& last = last_[number % last_.size()];
    const auto now = static_cast<int64_t>(number);
    if (now < last) {
      ++(is_marked ? marked_ : unmarked_);
    }
    last = std::max(last, now);
    ++count_;
  }
  uint64_t count() const {
    const std::lock_guard lock(mu_);
    return count_;
  }
  uint64_t Lost() const {
    const std::lock_guard lock(mu_);
    uint64_t lost = 0;
    for (size_t i = 0; i < accepted_.size(); ++i) {
      if (accepted_[i] && handled_[i] == 0) ++lost;
    }
    return lost;
  }
  Json ToJson() const {
    const uint64_t lost = Lost();
    const std::lock_guard lock(mu_);
    return {{"handled", count_},
            {"lost", lost},
            {"twice", twice_},
            {"out_of_order", unmarked_},
            {"out_of_order_marked", marked_}};
  }

 private:
  void Grow(uint64_t number) {
    if (number < accepted_.size()) return;
    accepted_.resize(number + 10000);
    handled_.resize(number + 10000);
  }
  mutable std::mutex mu_;
  std::vector<bool> accepted_;
  std::vector<uint8_t> handled_;
  std::vector<int64_t> last_;
  uint64_t count_ = 0;
  uint64_t twice_ = 0;
  uint64_t marked_ = 0;
  uint64_t unmarked_ = 0;
};

// Sends at a rate, and knows the longest time that a message took.
class Load {
 public:
  Load(Bus& bus, const Options& options, Effects* effects)
      : options_(options), effects_(effects) {
    sender_ = *bus.OpenSender("moving");
    thread_ = std::thread([this] { Run(); });
  }
  ~Load() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    flushed_ = sender_->Flush(absl::Seconds(options_.wait_s)).ok();
    // The callbacks use what is about to go.
    while (flushed_ && answered_ < next_) absl::SleepFor(absl::Milliseconds(1));
  }
  // Since the last call, of what was given in that time.
  absl::Duration TakeSlowest() {
    const std::lock_guard lock(mu_);
    return std::exchange(slowest_, absl::ZeroDuration());
  }
  uint64_t sent() const { return next_; }
  uint64_t failed() const { return failed_; }
  bool flushed() const { return flushed_; }

 private:
  void Run() {
    const absl::Time begin = absl::Now();
    while (!stop_) {
      const auto due = static_cast<uint64_t>(
          absl::ToDoubleSeconds(absl::Now() - begin) * options_.rate);
      while (next_ < due && !stop_) SendOne();
      absl::SleepFor(absl::Microseconds(200));
    }
  }
  void SendOne() {
    const uint64_t number = next_;
    std::vector<Message> batch;
    batch.emplace_back(fmt::format("{}", number));
    batch.front().set_key(fmt::format("key-{}", number % Keys()));
    const absl::Time given = absl::Now();
    const absl::Status status = sender_->SendBatch(
        std::move(batch),
        [this, number, given](std::span<const SendResult> results) {
          if (results.front().ok()) {
            effects_->OnSent(number);
          } else {
            ++failed_;
          }
          {
            const std::lock_guard lock(mu_);
            slowest_ = std::max(slowest_, absl::Now() - given);
          }
          ++answered_;
        });
    if (!status.ok()) {  // no room: slower, then
      absl::SleepFor(absl::Milliseconds(1));
      return;
    }
    ++next_;
  }
  uint64_t Keys() const { return static_cast<uint64_t>(options_.keys); }

  const Options& options_;
  Effects* const effects_;
  std::unique_ptr<Sender> sender_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> next_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> answered_{0};
  bool flushed_ = false;
  std::mutex mu_;
  absl::Duration slowest_;
  std::thread thread_;
};

int Fail(std::string_view what, const absl::Status& status) {
  fmt::print(stderr, "move_check: {}: {}\n", what, status.ToString());
  return 2;
}

struct Place {
  std::string broker;
  std::string entity;
};

// Brokers and entities of both URLs, and queue "moving" at the first.
absl::StatusOr<Config> MakeConfig(const Options& options,
                                  std::vector<Place>* places) {
  Config config;
  QueueConfig moving;
  for (const std::string& url : {options.to, options.from}) {
    absl::StatusOr<std::string> name = config.AddUrl(url);
    if (!name.ok()) return name.status();
    const QueueConfig made = config.queues.extract(*name).mapped();
    places->insert(places->begin(), {made.broker, made.entity});
    moving.broker = made.broker;
    moving.entity = made.entity;
    // What one of the two needs does not hurt the other.
    moving.create = moving.create || made.create;
    moving.partitions = std::max(moving.partitions, made.partitions);
    if (!made.group.empty()) moving.group = made.group;
  }
  moving.name = "moving";
  moving.ordered = Order::kPerKey;
  config.queues["moving"] = std::move(moving);
  config.state_file = options.state_file;
  config.move.quiet_period = absl::Seconds(options.quiet_s);
  config.move.retire_time = absl::Seconds(1);
  return config;
}

Config MovedTo(const Place& place, Config config) {
  QueueConfig& queue = config.queues["moving"];
  queue.was.push_back({queue.broker, queue.generation, queue.entity});
  queue.broker = place.broker;
  queue.entity = place.entity;
  ++queue.generation;
  return config;
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
bool MoveOnce(Bus& bus, const Place& to, const Options& options, Load& load,
              Seen* seen) {
  const absl::Time begin = absl::Now();
  absl::StatusOr<ChangePlan> plan = bus.Plan(MovedTo(to, bus.config()));
  if (!plan.ok()) {
    seen->fault = plan.status().ToString();
    return false;
  }
  load.TakeSlowest();
  auto moving = bus.Apply(*plan);
  absl::Status moved = moving.status();
  if (moved.ok()) moved = (*moving)->Wait(absl::Seconds(options.wait_s));
  if (!moved.ok()) {
    seen->fault = moved.ToString();
    return false;
  }
  const MoveReport report = (*moving)->reports().front();
  seen->pauses_ms.push_back(absl::ToDoubleMilliseconds(load.TakeSlowest()));
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
  std::vector<Place> places;
  auto config = MakeConfig(options, &places);
  if (!config.ok()) return Fail("config", config.status());
  BusOptions bus_options;
  if (options.verbose) {
    bus_options.log = [](LogLevel, std::string_view text) {
      fmt::print(stderr, "{}\n", text);
    };
  }
  auto bus = Bus::Open(*std::move(config), bus_options);
  if (!bus.ok()) return Fail("open", bus.status());
  Effects effects(options.keys);
  auto receiver = (*bus)->OpenReceiver("moving");
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
  Load load(**bus, options, &effects);
  Seen warming;
  const int warm = 2 * options.warm;
  const int all = warm + 2 * options.moves - 1;
  for (int i = 0; i < all && seen.fault.empty(); ++i) {
    if (i == warm) warming = std::exchange(seen, {});
    const uint64_t before = load.sent();
    while (load.sent() < before + static_cast<uint64_t>(options.rate / 10)) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    if (!MoveOnce(**bus, places[i % 2 == 0 ? 1 : 0], options, load, &seen)) {
      break;
    }
    if (options.verbose || i % 10 == 9) {
      fmt::print(stderr, "{} moves, {} sent, {} handled\n", i + 1, load.sent(),
                 effects.count());
    }
  }
  load.Stop();
  const absl::Time until = absl::Now() + absl::Seconds(options.wait_s);
  while (effects.Lost() > 0 && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  Json result = effects.ToJson();
  result["sent"] = load.sent();
  result["failed"] = load.failed();
  result["flushed"] = load.flushed();
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
                    load.failed() == 0;
  processor->Stop(absl::Seconds(10)).IgnoreError();
  return well ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Moves a queue between brokers under load and checks it.");
  Options options;
  app.add_option("--from", options.from, "URL of the queue at first")
      ->required();
  app.add_option("--to", options.to, "URL that it moves to, and back from")
      ->required();
  app.add_option("--state", options.state_file, "State file");
  app.add_option("--moves", options.moves, "Moves in that direction");
  app.add_option("--warm", options.warm,
                 "Moves there and back before those, whose pauses are apart: "
                 "brokers that were just started answer slowly");
  app.add_option("--rate", options.rate, "Messages a second");
  app.add_option("--keys", options.keys, "Keys");
  app.add_option("--quiet-period", options.quiet_s, "In seconds");
  app.add_option("--wait", options.wait_s, "For one move, in seconds");
  app.add_flag("--verbose", options.verbose, "Say what happens");
  CLI11_PARSE(app, argc, argv);
#ifdef TIELINE_HAS_AMQP
  amqp::Register();
#endif
#ifdef TIELINE_HAS_KAFKA
  kafka::Register();
#endif
#ifdef TIELINE_HAS_MEMORY
  memory::Register();
#endif
  return Run(options);
}

}  // namespace
}  // namespace tieline::move_check

int main(int argc, char** argv) {
  return tieline::move_check::Main(argc, argv);
}
