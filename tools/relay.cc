// tieline relay: from queue to queue until stopped.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "absl/time/clock.h"
#include "lib/base/permanent.h"
#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/relay_control.h"
#include "tools/route_report.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

// For closing, when finishing took all the time there was.
constexpr absl::Duration kCloseTime = absl::Milliseconds(500);
constexpr absl::Duration kTick = absl::Milliseconds(50);

class Relay : public Command {
 public:
  explicit Relay(CLI::App* app) {
    app->add_option("FROM", from_, "URL of the queue to receive from");
    app->add_option("TO", to_, "URL of the queue to send to");
    app->add_option("-c,--config", config_file_,
                    "Configuration file: runs its routes");
    app->add_option("-r,--route", routes_,
                    "Run only this route of the file (may be repeated)")
        ->allow_extra_args(false);
    app->add_flag("--json", json_, "Report as lines of JSON");
    app->add_flag("-q,--quiet", quiet_, "Do not report");
    app->add_flag("-v,--verbose", verbose_, "Say what the connections do");
    app->add_flag("--watch", watch_,
                  "Read the file again when it changes (SIGHUP does it too), "
                  "and move the queues whose broker is another");
    AddDuration(app, "--report-every", &report_every_,
                "Time between reports (on a terminal, or with --json)");
    AddDuration(app, "--stop-timeout", &stop_timeout_,
                "After SIGTERM or SIGINT, how long to finish what is on its "
                "way; a second signal ends at once");
    AddDuration(app, "--until-idle", &until_idle_,
                "Stop by itself when nothing came for so long");
    app->add_option("-n,--count", count_,
                    "Stop by itself after at least so many messages")
        ->check(CLI::PositiveNumber);
  }

  ExitCode Run() override {
    auto config = LoadConfig();
    if (!config.ok()) return FailConfig(config.status());
    if (config->routes.empty()) {
      return Fail(ExitCode::kUsage, "usage", "there is nothing to relay",
                  "give two URLs, or --config with a file that has routes");
    }
    const std::vector<RouteConfig> wanted = config->routes;
    auto bus =
        OpenBus(*std::move(config), verbose_, trouble_, StateFile::kOpen);
    if (!bus.ok()) return FailConfig(bus.status());
    auto control = RelayControl::Open(bus->get(), config_file_, watch_);
    if (!control.ok()) {
      return Fail(ExitCode::kInputOutput, "control",
                  MessageOf(control.status()), "");
    }
    std::vector<std::unique_ptr<Route>> routes;
    for (const RouteConfig& route : wanted) {
      auto started = (*bus)->StartRoute(route);
      if (!started.ok()) return FailStatus(started.status(), route.name);
      routes.push_back(*std::move(started));
    }
    RouteReport report(Form());
    ExitCode code = Watch(bus->get(), routes, control->get(), &report);
    control->reset();
    code = Stop(bus->get(), routes, &report, code);
    return code;
  }

 private:
  absl::StatusOr<Config> LoadConfig() {
    if (config_file_.empty()) {
      Config config;
      if (from_.empty() || to_.empty()) return config;
      RouteConfig route;
      TIELINE_ASSIGN_OR_RETURN(route.from, config.AddUrl(from_));
      TIELINE_ASSIGN_OR_RETURN(route.to, config.AddUrl(to_));
      route.name = "relay";
      config.routes.push_back(std::move(route));
      TIELINE_RETURN_IF_ERROR(config.Validate());
      return config;
    }
    if (!from_.empty()) {
      return InvalidArgument("both URLs and --config; give one of them");
    }
    TIELINE_ASSIGN_OR_RETURN(Config config, Config::FromFile(config_file_));
    if (routes_.empty()) return config;
    std::vector<RouteConfig> kept;
    for (const std::string& name : routes_) {
      const auto it =
          std::find_if(config.routes.begin(), config.routes.end(),
                       [&](const RouteConfig& r) { return r.name == name; });
      if (it == config.routes.end()) {
        return InvalidArgument("{}: there is no route \"{}\"", config_file_,
                               name);
      }
      kept.push_back(*it);
    }
    config.routes = std::move(kept);
    return config;
  }

  RouteReport::Form Form() const {
    if (json_) return RouteReport::Form::kJson;
    return quiet_ ? RouteReport::Form::kQuiet : RouteReport::Form::kTable;
  }

  static std::vector<RouteMetrics> MetricsOf(
      const std::vector<std::unique_ptr<Route>>& routes) {
    std::vector<RouteMetrics> all;
    all.reserve(routes.size());
    for (const auto& route : routes) all.push_back(route->metrics());
    return all;
  }

  // Until stopped, done, or failed for good.
  ExitCode Watch(Bus* bus, const std::vector<std::unique_ptr<Route>>& routes,
                 RelayControl* control, RouteReport* report) {
    const bool live = json_ || (!quiet_ && IsTerminal());
    absl::Time next_report = absl::Now();
    absl::Time last_change = absl::Now();
    uint64_t last_received = 0;
    while (true) {
      const absl::Time now = absl::Now();
      const std::vector<RouteMetrics> metrics = MetricsOf(routes);
      if (live && now >= next_report) {
        report->Show(metrics, now);
        next_report = now + report_every_;
      }
      uint64_t received = 0, in_flight = 0, done = 0;
      for (const RouteMetrics& route : metrics) {
        received += route.received;
        in_flight += route.in_flight;
        done += route.relayed + route.filtered + route.dead_lettered;
      }
      if (received != last_received || in_flight > 0) last_change = now;
      last_received = received;
      for (const auto& route : routes) {
        const absl::Status health = route->health();
        if (IsPermanent(health)) {
          return FailStatus(health, route->metrics().route, *bus);
        }
      }
      trouble_->Flush();
      control->Tick(now);
      if (done >= count_) return ExitCode::kOk;
      if (now - last_change >= until_idle_) return IdleCode(*bus, routes);
      if (WaitForStop(kTick)) return ExitCode::kOk;
    }
  }

  // Idle because there is nothing more, or because a broker is away?
  static ExitCode IdleCode(const Bus& bus,
                           const std::vector<std::unique_ptr<Route>>& routes) {
    for (const auto& route : routes) {
      const absl::Status health = route->health();
      if (!health.ok()) return FailStatus(health, route->metrics().route, bus);
    }
    return ExitCode::kOk;
  }

  ExitCode Stop(Bus* bus, std::vector<std::unique_ptr<Route>>& routes,
                RouteReport* report, ExitCode code) {
    const absl::Time deadline = absl::Now() + stop_timeout_;
    // All at the same time, so that all have the whole time.
    std::vector<absl::Status> stopped(routes.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < routes.size(); ++i) {
      threads.emplace_back(
          [&, i] { stopped[i] = routes[i]->Stop(stop_timeout_); });
    }
    for (std::thread& thread : threads) thread.join();
    const std::vector<RouteMetrics> totals = MetricsOf(routes);
    report->ShowTotals(totals, absl::Now());
    for (size_t i = 0; i < routes.size(); ++i) {
      if (stopped[i].ok() || code != ExitCode::kOk) continue;
      code = Fail(
          ExitCode::kTimedOut, "timed out",
          fmt::format("route {}: {}", totals[i].route, MessageOf(stopped[i])),
          "what was on its way is delivered again; give more time with "
          "--stop-timeout");
    }
    routes.clear();
    const absl::Status closed =
        bus->Close(std::max(deadline - absl::Now(), kCloseTime));
    if (code == ExitCode::kOk && !closed.ok())
      return FailStatus(closed, "stop");
    return code;
  }

  std::string from_;
  std::string to_;
  std::string config_file_;
  std::vector<std::string> routes_;
  bool json_ = false;
  bool quiet_ = false;
  bool verbose_ = false;
  bool watch_ = false;
  std::shared_ptr<TroubleLog> trouble_ = std::make_shared<TroubleLog>();
  absl::Duration report_every_ = absl::Seconds(1);
  absl::Duration stop_timeout_ = absl::Seconds(5);
  absl::Duration until_idle_ = absl::InfiniteDuration();
  uint64_t count_ = UINT64_MAX;
};

}  // namespace

std::unique_ptr<Command> MakeRelay(CLI::App* app) {
  app->footer(
      "A message is settled at its source only after the destination has it.\n"
      "A file with `state` opens a control socket beside the state file, for\n"
      "tieline move and tieline journal.\n"
      "Examples:\n"
      "  tieline relay amqp://localhost:5672/a "
      "\"kafka://localhost:9092/b?ordered=key\"\n"
      "  tieline relay --config bridge.yaml --json");
  return std::make_unique<Relay>(app);
}

}  // namespace tieline::tools
