#if TIELINE_HAS_MEMORY

#include "tools/demo_bridge.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "lib/base/status.h"
#include "lib/config/edit.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

constexpr char kHistory[] = "history";
// How much later its answers come from one time to the next, of the latest.
constexpr int kSlowSteps = 4;

std::string ConfigText(absl::Duration retire_time) {
  return fmt::format(
      R"(brokers:
  primary: {{ url: "memory://primary" }}
  fresh: {{ url: "memory://fresh" }}
  central: {{ url: "memory://central" }}
queues:
  observations: {{ broker: primary, ordered: key, dedupe: 1h }}
  history: {{ broker: central, ordered: key }}
routes:
  - {{ from: observations, to: history }}
state: {{ file: bridge.db }}
move: {{ retire_time: {}ms }}
)",
      absl::ToInt64Milliseconds(retire_time));
}

}  // namespace

absl::StatusOr<TempFolder> TempFolder::Make() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  std::string path = (parent / "tieline-demo-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return MakeStatus(
        absl::StatusCode::kUnavailable,
        "{}: a folder can't be made: {}; set TMPDIR to a place "
        "that can be written to",
        path,
        (error ? error : std::error_code(errno, std::generic_category()))
            .message());
  }
  return TempFolder(path);
}

TempFolder::~TempFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<DemoBridge>> DemoBridge::Open(
    absl::Duration retire_time, Ledger* ledger) {
  TIELINE_ASSIGN_OR_RETURN(TempFolder folder, TempFolder::Make());
  std::unique_ptr<DemoBridge> bridge(
      new DemoBridge(std::move(folder), ConfigText(retire_time)));
  TIELINE_RETURN_IF_ERROR(bridge->Start(ledger));
  return bridge;
}

absl::StatusOr<Config> DemoBridge::Read() const {
  return Config::FromText(yaml_, "bridge.yaml", folder_.path());
}

absl::Status DemoBridge::Start(Ledger* ledger) {
  TIELINE_ASSIGN_OR_RETURN(Config config, Read());
  const RouteConfig route = config.routes.front();
  BusOptions options;
  options.reconnect.max_delay = absl::Milliseconds(250);
  TIELINE_ASSIGN_OR_RETURN(bus_,
                           Bus::Open(std::move(config), std::move(options)));
  TIELINE_ASSIGN_OR_RETURN(sender_, bus_->OpenSender(kObservations));
  TIELINE_ASSIGN_OR_RETURN(receiver_, bus_->OpenReceiver(kHistory));
  TIELINE_ASSIGN_OR_RETURN(route_, bus_->StartRoute(route));
  processor_ = receiver_->Process({.concurrency = 2, .order = Order::kPerKey},
                                  [ledger](Delivery& delivery) {
                                    ledger->Handled(delivery.message());
                                    return absl::OkStatus();
                                  });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PlannedMove>> DemoBridge::MoveToFresh() {
  TIELINE_ASSIGN_OR_RETURN(yaml_,
                           config::EditMove(yaml_, kObservations, kFresh));
  TIELINE_ASSIGN_OR_RETURN(const Config changed, Read());
  TIELINE_ASSIGN_OR_RETURN(const ChangePlan plan, bus_->Plan(changed));
  generation_ = changed.queues.at(kObservations).generation;
  TIELINE_ASSIGN_OR_RETURN(moving_, bus_->Apply(plan));
  return plan.moves;
}

std::optional<MoveReport> DemoBridge::move() const {
  if (moving_ == nullptr) return std::nullopt;
  for (MoveReport& report : moving_->reports()) {
    // It may be that of the binding before.
    if (report.generation >= generation_) return std::move(report);
  }
  return std::nullopt;
}

uint64_t DemoBridge::Resent() const {
  uint64_t resent = 0;
  for (const SenderMetrics& sender : bus_->metrics().senders) {
    resent += sender.resent;
  }
  return resent;
}

std::string DemoBridge::QueueInConfig() const {
  const size_t begin = yaml_.find(kObservations);
  return yaml_.substr(begin, yaml_.find("\n  history:", begin) - begin);
}

size_t DemoBridge::HeldBy(const char* broker) {
  size_t held = 0;
  for (const memory::EntityState& entity :
       memory::Broker::Named(broker)->Entities()) {
    held += entity.depth();
  }
  return held;
}

absl::Status DemoBridge::Close() {
  absl::Status status = route_->Stop(absl::Seconds(5));
  status.Update(processor_->Stop(absl::Seconds(5)));
  status.Update(receiver_->Close(absl::Seconds(5)));
  status.Update(sender_->Close(absl::Seconds(5)));
  status.Update(bus_->Close(absl::Seconds(5)));
  return status;
}

void SickBroker::Tick(absl::Duration at) {
  if (state_ == State::kAway || state_ == State::kHealed || at < next_) return;
  if (at >= course_.dropping_at) {
    const bool refuses = state_ != State::kRefusing;
    broker_->RefuseConnections(refuses);
    if (refuses) broker_->DropConnections();
    state_ = refuses ? State::kRefusing : State::kDropping;
    next_ = at + (refuses ? 0.25 : 0.75) * course_.every;
    return;
  }
  state_ = State::kSlow;
  delay_ += course_.latest / kSlowSteps;
  broker_->Delay(delay_);
  next_ =
      std::min(course_.dropping_at,
               next_ + (course_.dropping_at - course_.slow_at) / kSlowSteps);
}

void SickBroker::TakeAway() {
  state_ = State::kAway;
  broker_->RefuseConnections(true);
  broker_->DropConnections();
}

void SickBroker::Heal() {
  state_ = State::kHealed;
  broker_->RefuseConnections(false);
  broker_->Delay(absl::ZeroDuration());
}

std::string SickBroker::state() const {
  switch (state_) {
    case State::kWell:
    case State::kHealed:
      return "well";
    case State::kSlow:
      return Short(delay_) + " late";
    case State::kDropping:
    case State::kRefusing:
      return "dropping";
    case State::kAway:
      return "away";
  }
  return "";
}

}  // namespace tieline::tools

#endif  // TIELINE_HAS_MEMORY
