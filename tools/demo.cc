// tieline demo: a relay at work between two brokers in this process, with a
// lost connection in the middle.
#include <fmt/format.h>

#include <map>
#include <thread>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "tools/charger_load.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/pace.h"
#include "tools/stop.h"
#include "tools/terminal.h"
#if TIELINE_HAS_MEMORY
#include "tieline/memory.h"
#endif

namespace tieline::tools {
namespace {

#if TIELINE_HAS_MEMORY

constexpr char kFrom[] = "memory://north/chargers?ordered=key";
constexpr char kTo[] = "memory://south/central?ordered=key";
constexpr size_t kBatch = 20;
// For what is on its way when the chargers have stopped.
constexpr absl::Duration kDrain = absl::Seconds(20);

// Gives trouble once at 40% of the time, and again at 65%.
class Trouble {
 public:
  Trouble(absl::Time begin, absl::Duration length)
      : refuse_at_(begin + 0.40 * length),
        accept_at_(begin + 0.50 * length),
        drop_at_(begin + 0.65 * length) {}

  // What happens now, for the display; empty when all is well.
  std::string Tick(absl::Time now) {
    auto north = memory::Broker::Named("north");
    auto south = memory::Broker::Named("south");
    if (stage_ == 0 && now >= refuse_at_) {
      south->RefuseConnections(true);
      south->DropConnections();
      stage_ = 1;
    }
    if (stage_ == 1 && now >= accept_at_) {
      south->RefuseConnections(false);
      stage_ = 2;
    }
    if (stage_ == 2 && now >= drop_at_) {
      north->DropConnections();
      stage_ = 3;
    }
    if (stage_ == 1) return "south is gone and refuses connections";
    if (stage_ == 3 && now < drop_at_ + absl::Seconds(1)) {
      return "north dropped its connections";
    }
    return "";
  }
  // Ends all trouble.
  void Heal() { memory::Broker::Named("south")->RefuseConnections(false); }

 private:
  absl::Time refuse_at_;
  absl::Time accept_at_;
  absl::Time drop_at_;
  int stage_ = 0;
};

class Demo : public Command {
 public:
  explicit Demo(CLI::App* app) {
    app->add_option("--chargers", chargers_, "Simulated charging stations")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app->add_option("--rate", rate_, "Messages a second")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
    AddDuration(app, "--duration", &duration_, "How long they send");
    app->add_flag("--calm", calm_, "Without lost connections");
  }

  ExitCode Run() override {
    Config config;
    std::string from, to;
    for (auto [url, name] : {std::pair{kFrom, &from}, std::pair{kTo, &to}}) {
      auto added = config.AddUrl(url);
      if (!added.ok()) return FailConfig(added.status());
      *name = *std::move(added);
    }
    BusOptions options;
    options.reconnect.max_delay = absl::Milliseconds(500);
    auto bus = Bus::Open(std::move(config), std::move(options));
    if (!bus.ok()) return FailConfig(bus.status());
    auto sender = (*bus)->OpenSender(from);
    if (!sender.ok()) return FailStatus(sender.status(), from);
    auto receiver = (*bus)->OpenReceiver(to);
    if (!receiver.ok()) return FailStatus(receiver.status(), to);
    RouteConfig route_config;
    route_config.name = "north->south";
    route_config.from = from;
    route_config.to = to;
    auto route = (*bus)->StartRoute(route_config);
    if (!route.ok()) return FailStatus(route.status(), route_config.name);
    auto processor = (*receiver)->Process(
        {.concurrency = 2, .order = Order::kPerKey}, [this](Delivery& d) {
          check_.Add(d.message());
          return absl::OkStatus();
        });
    fmt::print("{} chargers -> memory://north -> relay -> memory://south\n\n",
               chargers_);
    Watch(bus->get(), sender->get(), route->get());
    const absl::Status stopped = (*route)->Stop(absl::Seconds(5));
    const RouteMetrics metrics = (*route)->metrics();
    const absl::Status ended = processor->Stop(absl::Seconds(5));
    if (!stopped.ok() || !ended.ok()) {
      return FailStatus(stopped.ok() ? ended : stopped, "stopping");
    }
    return Summary(metrics);
  }

 private:
  // Sends and shows until the time is over and everything has come.
  void Watch(Bus* bus, Sender* sender, Route* route) {
    const absl::Time begin = absl::Now();
    std::thread producer([&] { Produce(sender, begin + duration_); });
    Trouble trouble(begin, duration_);
    const absl::Time last = begin + duration_ + kDrain;
    const absl::Duration pause =
        IsTerminal() ? absl::Milliseconds(100) : absl::Seconds(1);
    for (absl::Time now = begin; now < last; now = absl::Now()) {
      const std::string news = calm_ ? "" : trouble.Tick(now);
      Show(*bus, *route, now - begin, news);
      if (produced_all_.load() && check_.counts().received >= sent_.load()) {
        break;
      }
      if (WaitForStop(pause)) break;
    }
    trouble.Heal();
    producer.join();
    Show(*bus, *route, absl::Now() - begin, "");
  }

  void Produce(Sender* sender, absl::Time end) {
    ChargerSource source(chargers_);
    Pace pace;
    while (absl::Now() < end && StopSignal() == 0) {
      std::vector<Message> batch;
      for (size_t i = 0; i < kBatch; ++i) batch.push_back(source.Next());
      pace.WaitFor(source.made(), rate_);
      for (const SendResult& result : sender->SendBatch(std::move(batch))) {
        (result.ok() ? sent_ : failed_).fetch_add(1);
      }
    }
    produced_all_.store(true);
  }

  void Show(const Bus& bus, const Route& route, absl::Duration time,
            const std::string& news) {
    const RouteMetrics now = route.metrics();
    const ChargerCheck::Counts counts = check_.counts();
    const double span = absl::ToDoubleSeconds(time - shown_at_);
    const auto rate = [&](uint64_t current, uint64_t before) {
      return span <= 0 ? std::string("-")
                       : Grouped(static_cast<uint64_t>(
                             static_cast<double>(current - before) / span));
    };
    std::map<std::string, bool> up;  // all connections of the broker
    for (const BrokerMetrics& broker : bus.metrics().brokers) {
      const std::string name =
          broker.broker.substr(broker.broker.rfind('/') + 1);
      up.emplace(name, true).first->second &= broker.up;
    }
    std::string brokers;
    for (const auto& [name, is_up] : up) {
      brokers += fmt::format("{}{} {}", brokers.empty() ? "" : ", ", name,
                             is_up ? "up" : "down");
    }
    if (!news.empty()) brokers += ": " + news;
    table_.Draw(
        {{fmt::format("{:.1f} s", absl::ToDoubleSeconds(time)),
          Grouped(sent_.load()), Grouped(now.relayed),
          rate(now.relayed, relayed_before_), Grouped(now.in_flight),
          Grouped(counts.received), Grouped(counts.duplicates),
          Short(now.latency.Quantile(0.5)), Short(now.latency.Quantile(0.99)),
          fmt::format("{:<52}", brokers)}});
    if (span >= 1 || shown_at_ == absl::ZeroDuration()) {
      relayed_before_ = now.relayed;
      shown_at_ = time;
    }
  }

  ExitCode Summary(const RouteMetrics& route) const {
    const ChargerCheck::Counts counts = check_.counts();
    const uint64_t sent = sent_.load();
    const uint64_t lost = sent > counts.received ? sent - counts.received : 0;
    fmt::print(
        "\nsent {}, relayed {}, received {}: {} lost, {} order violations, {} "
        "duplicates\n(a duplicate is the same message again, with the same id, "
        "after a lost connection)\nlatency through the relay: p50 {}, p99 {}\n",
        Grouped(sent), Grouped(route.relayed), Grouped(counts.received), lost,
        counts.out_of_order, counts.duplicates,
        Short(route.latency.Quantile(0.5)),
        Short(route.latency.Quantile(0.99)));
    if (lost > 0 || counts.out_of_order > 0 || counts.malformed > 0 ||
        failed_.load() > 0) {
      return Fail(ExitCode::kFailed, "demo",
                  fmt::format("{} lost, {} out of order, {} malformed, {} not "
                              "sent",
                              lost, counts.out_of_order, counts.malformed,
                              failed_.load()),
                  "this is a bug; please report it");
    }
    return ExitCode::kOk;
  }

  uint32_t chargers_ = 200;
  double rate_ = 2000;
  absl::Duration duration_ = absl::Seconds(10);
  bool calm_ = false;

  ChargerCheck check_;
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<bool> produced_all_{false};
  LiveTable table_{{"time", "sent", "relayed", "rate", "in flight", "received",
                    "duplicates", "p50", "p99", "brokers"}};
  uint64_t relayed_before_ = 0;
  absl::Duration shown_at_ = absl::ZeroDuration();
};

#else

class Demo : public Command {
 public:
  explicit Demo(CLI::App*) {}
  ExitCode Run() override {
    return Fail(ExitCode::kFailed, "demo", "this build has no memory backend",
                "build with TIELINE_MEMORY=ON");
  }
};

#endif

}  // namespace

std::unique_ptr<Command> MakeDemo(CLI::App* app) {
  app->footer(
      "Ends by itself, with exit code 1 if a message was lost or out of "
      "order.");
  return std::make_unique<Demo>(app);
}

}  // namespace tieline::tools
