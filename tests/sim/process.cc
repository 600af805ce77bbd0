#include "tests/sim/process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
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
                 MoveSteps* steps, const Brokers* brokers, bool has_state,
                 Rng rng)
    : number_(number),
      timeline_(timeline),
      ledger_(ledger),
      steps_(steps),
      brokers_(brokers),
      rng_(rng),
      clock_(timeline, this),
      disk_(has_state ? std::make_unique<Disk>() : nullptr) {}

Process::~Process() { Kill(Restart::kWithState); }

Config Process::ConfigOf(Config config) const {
  if (disk_ != nullptr) config.state_file = disk_->path();
  return config;
}

bool Process::Start(const Config& config, BusOptions options) {
  options.clock = &clock_;
  options.host_runs = true;
  options.log = [this](LogLevel level, std::string_view text) {
    if (is_dying()) return;
    steps_->OnLog(number_, text);
    if (level < LogLevel::kWarning && !text.starts_with("move: ")) return;
    std::string note = absl::StrCat("p", number_, ": ", std::string(text));
    // Its folder has another name in each run.
    if (disk_ != nullptr)
      absl::StrReplaceAll({{disk_->path(), "STATE"}}, &note);
    ledger_->Note(std::move(note));
  };
  dying_ = false;
  auto bus = Bus::Open(ConfigOf(config), std::move(options));
  if (IsDisk(bus.status())) return false;
  if (!bus.ok()) {
    ledger_->Violate(0, -1, absl::StrCat("no bus: ", bus.status().ToString()));
    return true;
  }
  bus_ = *std::move(bus);
  bus_next_ = absl::InfinitePast();
  if (disk_ != nullptr) {
    steps_->OnStart(number_, bus_->config().queues.at("q").generation);
  }
  return true;
}

void Process::Kill(Restart restart) {
  if (bus_ == nullptr) return;
  dying_ = true;
  if (disk_ != nullptr && !disk_->is_cut()) disk_->CutAt(1);
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
  if (disk_ != nullptr) {
    disk_->Recover(rng_.Next());
    if (restart == Restart::kOldCopy) disk_->BringBack();
    if (restart == Restart::kNothing) disk_->Erase();
  }
  if (restart != Restart::kWithState) steps_->OnForgotten(number_);
}

Sender* Process::OpenSender(const std::string& queue,
                            const SenderOptions& options) {
  Touch();
  auto sender = bus_->OpenSender(queue, options);
  if (!sender.ok()) {
    if (!IsDisk(sender.status())) {
      ledger_->Violate(0, -1, sender.status().ToString());
    }
    return nullptr;
  }
  senders_.push_back(*std::move(sender));
  return senders_.back().get();
}

bool Process::StartRoute(const RouteConfig& config) {
  Touch();
  auto route = bus_->StartRoute(config);
  if (!route.ok()) {
    if (IsDisk(route.status())) return false;
    ledger_->Violate(0, -1, route.status().ToString());
    return true;
  }
  routes_.push_back(*std::move(route));
  return true;
}

bool Process::IsDisk(const absl::Status& why) const {
  return disk_ != nullptr &&
         (absl::IsResourceExhausted(why) || absl::IsUnavailable(why));
}

SimBroker* Process::FindBroker(const std::string& host) const {
  return brokers_->at(host);
}

std::string Process::AddressOf(int number) { return absl::StrCat("p", number); }

void Process::Stall(absl::Duration length) {
  stalled_until_ = std::max(stalled_until_, timeline_->now() + length);
  ready_at_ = std::max(ready_at_, stalled_until_);
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
  for (const SenderMetrics& m : metrics.senders)
    count += m.pending + m.in_spool;
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
