#include "tests/sim/process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/connection.h"

namespace tieline::sim {
namespace {

class SimDriver final : public driver::Driver {
 public:
  Capabilities capabilities() const override { return {}; }
  absl::Status Check(const BrokerConfig&,
                     const std::vector<QueueConfig>&) const override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<driver::Connection>> Connect(
      const BrokerConfig& broker, driver::ConnectionSink* sink,
      driver::Waker* waker, const Clock* clock, absl::Time) override {
    Process* process = static_cast<const SimClock*>(clock)->process();
    if (process->is_dying()) {
      return absl::UnavailableError("the process ends");
    }
    return std::make_unique<SimConnection>(
        process->FindBroker(broker.url.hosts[0].host), process, sink, waker);
  }
};

}  // namespace

void RegisterSimDriver() {
  driver::Register("sim", std::make_shared<SimDriver>());
}

Process::Process(int number, Timeline* timeline, Ledger* ledger,
                 MoveSteps* steps, const Brokers* brokers, Rng rng)
    : number_(number),
      timeline_(timeline),
      ledger_(ledger),
      steps_(steps),
      brokers_(brokers),
      rng_(rng),
      clock_(timeline, this) {}

Process::~Process() { Kill(); }

void Process::Start(const Config& config, BusOptions options) {
  options.clock = &clock_;
  options.host_runs = true;
  options.log = [this](LogLevel level, std::string_view text) {
    if (dying_) return;
    steps_->OnLog(number_, text);
    if (level < LogLevel::kWarning) return;
    ledger_->Note(absl::StrCat("p", number_, ": ", std::string(text)));
  };
  steps_->OnStart(number_);
  auto bus = Bus::Open(config, std::move(options));
  if (!bus.ok()) {
    ledger_->Violate(0, -1, absl::StrCat("no bus: ", bus.status().ToString()));
    return;
  }
  dying_ = false;
  bus_ = *std::move(bus);
  bus_next_ = absl::InfinitePast();
}

void Process::Kill() {
  if (bus_ == nullptr) return;
  dying_ = true;
  // Every connection is lost first, so that closing has nothing to wait for.
  constexpr int kTurns = 8;
  for (int i = 0; i < kTurns && !wakers_.empty(); ++i) {
    for (const auto& [connection, waker] : wakers_) waker->Wake();
    bus_->RunOnce();
  }
  bus_->Close(absl::ZeroDuration()).IgnoreError();
  routes_.clear();
  senders_.clear();
  bus_.reset();
}

Sender* Process::OpenSender(const std::string& queue,
                            const SenderOptions& options) {
  Touch();
  auto sender = bus_->OpenSender(queue, options);
  if (!sender.ok()) {
    ledger_->Violate(0, -1, sender.status().ToString());
    return nullptr;
  }
  senders_.push_back(*std::move(sender));
  return senders_.back().get();
}

void Process::StartRoute(const RouteConfig& config) {
  Touch();
  auto route = bus_->StartRoute(config);
  if (!route.ok()) {
    ledger_->Violate(0, -1, route.status().ToString());
    return;
  }
  routes_.push_back(*std::move(route));
}

SimBroker* Process::FindBroker(const std::string& host) const {
  return brokers_->at(host);
}

void Process::Stall(absl::Duration length) {
  ready_at_ = std::max(ready_at_, timeline_->now() + length);
}

absl::Time Process::next_run() const {
  if (bus_ == nullptr) return absl::InfiniteFuture();
  const absl::Time due = touched_ ? absl::InfinitePast() : bus_next_;
  return std::max({due, ready_at_, timeline_->now()});
}

uint64_t Process::in_hand() const {
  if (bus_ == nullptr) return 0;
  const MetricsSnapshot metrics = bus_->metrics();
  uint64_t count = 0;
  for (const SenderMetrics& m : metrics.senders) count += m.pending;
  for (const RouteMetrics& m : metrics.routes) count += m.in_flight;
  return count;
}

void Process::Run() {
  touched_ = false;
  bus_next_ = bus_->RunOnce();
  ++runs_;
  ready_at_ = timeline_->now() +
              rng_.Between(absl::Microseconds(1), absl::Microseconds(40));
}

}  // namespace tieline::sim
