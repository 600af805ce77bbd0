// tieline demo: chargers under load, the broker of their queue gets sick, and
// the queue moves to a fresh one, with a ledger of what became of each message.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#if TIELINE_HAS_MEMORY
#include "tools/charger_load.h"
#include "tools/demo_bridge.h"
#include "tools/demo_report.h"
#include "tools/demo_view.h"
#include "tools/ledger.h"
#include "tools/output.h"
#include "tools/stop.h"
#endif

namespace tieline::tools {
namespace {

#if TIELINE_HAS_MEMORY

constexpr absl::Duration kTick = absl::Milliseconds(20);
// For what is on its way when the chargers have stopped.
constexpr absl::Duration kDrain = absl::Seconds(20);
// After the last message: for copies that nobody waits for.
constexpr absl::Duration kSettle = absl::Milliseconds(300);

// When what happens, of the time in which the chargers send.
constexpr double kSlowAt = 0.20;
constexpr double kDroppingAt = 0.40;
constexpr double kMoveAt = 0.52;
constexpr double kRetire = 0.15;

struct DemoOptions {
  ChargerFleet::Options fleet;
  absl::Duration duration = absl::Seconds(30);
  bool calm = false;
  bool json = false;
};

SickBroker::Course CourseOf(const DemoOptions& options) {
  if (options.calm) return {};
  return {.slow_at = kSlowAt * options.duration,
          .dropping_at = kDroppingAt * options.duration,
          .latest = std::min(absl::Milliseconds(200), options.duration / 50),
          .every = std::max(absl::Seconds(1), options.duration / 30)};
}

// One performance, from the first message to the last.
class Play {
 public:
  Play(const DemoOptions& options, DemoBridge* bridge, Ledger* ledger)
      : options_(options),
        bridge_(bridge),
        ledger_(ledger),
        primary_(memory::Broker::Named(kPrimary), CourseOf(options)),
        view_(options.json) {}

  // Until everything has come. The error is that of planning the move.
  absl::Status Run() {
    const Clock* const clock = Clock::System();
    const absl::Time begin = clock->Steady();
    fleet_.emplace(options_.fleet, bridge_->sender(), ledger_);
    BeginPart("all is well");
    while (true) {
      at_ = clock->Steady() - begin;
      primary_.Tick(at_);
      TIELINE_RETURN_IF_ERROR(GoOn());
      Count();
      view_.Show(at_, Scene());
      if (IsOver()) break;
      // An interruption is heard once; then it ends as soon as it can.
      if (fleet_.has_value()) {
        if (WaitForStop(kTick)) End();
      } else {
        absl::SleepFor(kTick);
      }
    }
    view_.ShowNow(at_, Scene());
    result_.resent = bridge_->Resent();
    return absl::OkStatus();
  }

  // After Run, and when the bridge is closed.
  DemoResult Result() {
    result_.chargers = options_.fleet.chargers;
    result_.length = at_;
    result_.ledger = ledger_->counts();
    for (const char* broker : {kPrimary, kFresh, kCentral}) {
      result_.left += DemoBridge::HeldBy(broker);
    }
    return std::move(result_);
  }

 private:
  enum class Act : uint8_t { kWell, kSlow, kDropping, kMoving, kMoved, kOver };

  // Whatever is due now.
  absl::Status GoOn() {
    const absl::Duration length = options_.duration;
    if (act_ == Act::kWell && !options_.calm && at_ >= kSlowAt * length) {
      act_ = Act::kSlow;
      BeginPart("primary is slow");
      News("primary gets sick: its answers come late, and ever later");
    }
    if (act_ == Act::kSlow && at_ >= kDroppingAt * length) {
      act_ = Act::kDropping;
      BeginPart("primary drops connections");
      News("primary gets worse: it drops all connections, again and again");
    }
    if (act_ < Act::kMoving && fleet_.has_value() && at_ >= kMoveAt * length) {
      act_ = Act::kMoving;
      BeginPart("moving");
      TIELINE_RETURN_IF_ERROR(Move());
    }
    if (act_ >= Act::kMoving) WatchMove();
    if (fleet_.has_value() && at_ >= length) End();
    return absl::OkStatus();
  }

  // The operator's part.
  absl::Status Move() {
    News(
        "the operator:  tieline move observations --to fresh "
        "--config bridge.yaml");
    TIELINE_ASSIGN_OR_RETURN(const auto moves, bridge_->MoveToFresh());
    for (const PlannedMove& move : moves) {
      News(fmt::format("{}: {} (generation {}) -> {} (generation {})",
                       move.queue, move.from, move.from_generation, move.to,
                       move.to_generation));
      for (const std::string& note : move.notes) News("note: " + note);
    }
    return absl::OkStatus();
  }

  void WatchMove() {
    result_.move = bridge_->move();
    if (!result_.move.has_value()) return;
    const MoveReport& move = *result_.move;
    const std::string state =
        move.status.ok()
            ? move.state
            : fmt::format("{}: {}", move.state, MessageOf(move.status));
    if (state != state_) News(fmt::format("{}: {}", move.queue, state));
    state_ = state;
    if (act_ == Act::kMoving && move.drained_all) {
      act_ = Act::kMoved;
      BeginPart("at fresh");
      News(fmt::format("primary is empty (proof: {}), and bridge.yaml says",
                       move.proof));
      News("  " + bridge_->QueueInConfig());
    }
    if (act_ == Act::kMoved && move.over) {
      act_ = Act::kOver;
      primary_.TakeAway();
      News("primary is taken away: nothing uses it any more");
    }
  }

  // No more messages are made.
  void End() {
    fleet_.reset();
    News(StopSignal() != 0 ? "interrupted" : "the chargers have stopped");
    if (act_ < Act::kMoving) primary_.Heal();
    ended_at_ = at_;
  }

  bool IsOver() {
    if (fleet_.has_value()) return false;
    const Ledger::Counts counts = ledger_->counts();
    const bool moves = act_ == Act::kMoving || act_ == Act::kMoved;
    if (counts.unanswered() > 0 || counts.lost > 0 || moves) settled_at_ = at_;
    return at_ - settled_at_ >= kSettle || at_ - ended_at_ >= kDrain;
  }

  // Brings the figures up to now.
  void Count() {
    const Ledger::Counts counts = ledger_->counts();
    const Ledger::Waits waits = ledger_->TakeWaits();
    view_.Add(at_, counts, waits);
    DemoPart& part = result_.parts.back();
    part.length = at_ - part_began_;
    part.accepted = counts.accepted - accepted_before_;
    part.waits.histogram.Merge(waits.histogram);
    part.waits.longest = std::max(part.waits.longest, waits.longest);
  }

  void BeginPart(std::string name) {
    if (!result_.parts.empty()) Count();
    result_.parts.emplace_back().name = std::move(name);
    part_began_ = at_;
    accepted_before_ = ledger_->counts().accepted;
  }

  void News(const std::string& text) { view_.News(at_, text); }

  DemoView::Scene Scene() const {
    DemoView::Scene scene = {
        .health = primary_.state(),
        .place = act_ < Act::kMoving ? kPrimary : "primary -> fresh",
        .on_primary = DemoBridge::HeldBy(kPrimary),
        .on_fresh = DemoBridge::HeldBy(kFresh),
        .move = "-"};
    if (act_ >= Act::kMoved) scene.place = kFresh;
    if (result_.move.has_value()) scene.move = result_.move->state;
    return scene;
  }

  const DemoOptions options_;
  DemoBridge* const bridge_;
  Ledger* const ledger_;
  SickBroker primary_;
  DemoView view_;
  std::optional<ChargerFleet> fleet_;

  Act act_ = Act::kWell;
  absl::Duration at_ = absl::ZeroDuration();  // since the beginning
  absl::Duration ended_at_ = absl::ZeroDuration();
  absl::Duration settled_at_ = absl::ZeroDuration();  // last time it was not
  absl::Duration part_began_ = absl::ZeroDuration();
  uint64_t accepted_before_ = 0;
  std::string state_;  // of the move, as it was told
  DemoResult result_;
};

class Demo : public Command {
 public:
  explicit Demo(CLI::App* app) {
    app->add_option("--chargers", options_.fleet.chargers,
                    "Simulated charging stations")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app->add_option("--rate", options_.fleet.rate, "Messages a second")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
    AddDuration(app, "--duration", &options_.duration, "How long they send");
    app->add_flag("--calm", options_.calm,
                  "The broker stays well: a move as it is planned");
    app->add_flag("--json", options_.json,
                  "Print nothing but a report, as one JSON object");
  }

  ExitCode Run() override {
    Ledger ledger(options_.fleet.chargers);
    auto bridge = DemoBridge::Open(kRetire * options_.duration, &ledger);
    if (!bridge.ok()) return FailConfig(bridge.status());
    if (!options_.json) {
      fmt::print(
          "{} chargers -> observations -> bridge -> history -> central "
          "system\nThe queue observations is at the broker primary; the broker "
          "fresh stands by.\n\n",
          options_.fleet.chargers);
    }
    Play play(options_, bridge->get(), &ledger);
    const absl::Status played = play.Run();
    const absl::Status closed = (*bridge)->Close();
    const DemoResult result = play.Result();
    const absl::Status said =
        Output().Write(options_.json ? ToJsonLine(result) : ToText(result));
    if (!played.ok()) return FailStatus(played, kObservations);
    if (!said.ok()) return FailStatus(said, "standard output");
    return Judge(result, closed);
  }

 private:
  static ExitCode Judge(const DemoResult& result, const absl::Status& closed) {
    if (!result.ledger.all_is_well() || (StopSignal() == 0 && !result.ok())) {
      return Fail(ExitCode::kFailed, "demo", result.Fault(),
                  "this is a bug; please report it");
    }
    if (StopSignal() != 0) {
      return Fail(ExitCode::kInterrupted, "interrupted", "", "");
    }
    return closed.ok() ? ExitCode::kOk : FailStatus(closed, "stopping");
  }

  DemoOptions options_;
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
      "Everything is in this process: brokers in memory, and a state file in "
      "a\n"
      "temporary folder. Ends by itself, with exit code 1 if a message was\n"
      "lost, doubled or out of order, or the move did not end.");
  return std::make_unique<Demo>(app);
}

}  // namespace tieline::tools
