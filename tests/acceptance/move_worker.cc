// A process that sends to and handles a queue while it moves, which may be
// killed at any instant and started again with the same files:
//
//   move_worker run --from URL --to URL --state FILE --log FILE
//   move_worker judge --log FILE [--dedupe]
//
// run obeys lines on standard input: "move" applies the config that takes the
// queue to the other place, "stop" ends it when all that was accepted is
// handled. It says on standard output "ready", "applied GENERATION", "ended
// GENERATION {report}", "again GENERATION: why" where a move was undone and is
// applied once more, and "left COUNT" at its end. What it does is in the log
// (move_log.h), from which it goes on: what was about to be sent and was not
// accepted is sent again, with its id, before anything new; a move that was
// applied and has not ended is applied again.
//
// judge prints what all of that came to, as one JSON object. Exit codes: 0 all
// well, 1 something is not as it should be, 2 wrong usage.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/acceptance/move_confirmer.h"
#include "tests/acceptance/move_effects.h"
#include "tests/acceptance/move_judge.h"
#include "tests/acceptance/move_load.h"
#include "tests/acceptance/move_log.h"
#include "tests/acceptance/move_setup.h"
#include "tieline/bus.h"

namespace tieline::move_check {
namespace {

using Json = nlohmann::json;

struct Options {
  SetupOptions setup;
  std::string log;
  double rate = 2000;
  uint64_t keys = 500;
  double wait_s = 120;
  bool dedupe = false;
  bool stale_config = false;
  bool verbose = false;
};

int Fail(std::string_view what, const absl::Status& status) {
  fmt::print(stderr, "move_worker: {}: {}\n", what, status.ToString());
  return 2;
}

template <typename... Args>
void Say(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print("{}\n", fmt::format(format, std::forward<Args>(args)...));
  std::fflush(stdout);
}

// What the incarnations before came to.
struct Past {
  uint64_t next = 0;            // the first number that was never used
  std::vector<uint64_t> again;  // without a result
  uint64_t applied = 1;
  uint64_t ended = 1;
};

Past Recall(const std::string& path, Effects* effects) {
  Past past;
  std::vector<bool> open;
  for (const Record& record : ReadLog(path)) {
    const uint64_t number = record.number;
    switch (record.step) {
      case Step::kApplied:
        past.applied = number;
        break;
      case Step::kEnded:
        past.ended = number;
        break;
      case Step::kIntended:
        past.next = std::max(past.next, number + 1);
        if (open.size() < past.next) open.resize(past.next + past.next / 2);
        open[number] = true;
        break;
      case Step::kAccepted:
        effects->OnAccepted(number);
        open[number] = false;
        break;
      case Step::kFailed:
        open[number] = false;
        break;
      case Step::kHandling:
        effects->OnHandled(number, false);
        break;
      default:
        break;
    }
  }
  for (uint64_t i = 0; i < past.next; ++i) {
    if (open[i]) past.again.push_back(i);
  }
  return past;
}

class Worker final : public LoadObserver {
 public:
  Worker(const Options& options, EventLog log)
      : options_(options), log_(std::move(log)), effects_(options.keys) {}

  int Run();

  void OnIntended(uint64_t number) override {
    log_.Write({.step = Step::kIntended, .number = number});
  }
  void OnResult(uint64_t number, const SendResult& result,
                absl::Duration /*took*/) override {
    Record record{.step = Step::kAccepted, .number = number};
    record.attempts =
        static_cast<uint16_t>(std::min<uint32_t>(result.attempts, UINT16_MAX));
    if (!result.ok()) {
      record.step = Step::kFailed;
      record.flags = static_cast<uint8_t>(result.state);
      fmt::print(stderr, "message {}: {}\n", number, result.status.ToString());
    }
    log_.Write(record);
    if (result.ok()) effects_.OnAccepted(number);
  }

 private:
  absl::Status Open();
  absl::Status Handle(Delivery& delivery);
  void Apply(uint64_t generation);
  void LookAtMove();
  std::optional<std::string> ReadLine(absl::Duration timeout);
  int Finish();

  const Options& options_;
  EventLog log_;
  Effects effects_;
  Past past_;
  std::optional<Setup> setup_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Receiver> receiver_;
  std::optional<Confirmer> confirmer_;
  std::unique_ptr<Processor> processor_;
  std::unique_ptr<Load> load_;
  std::string input_;
  bool input_over_ = false;
  absl::Time applied_at_;
};

absl::Status Worker::Open() {
  BusOptions bus_options;
  if (options_.verbose) {
    bus_options.log = [](LogLevel, std::string_view text) {
      fmt::print(stderr, "{} {}\n", absl::ToUnixMillis(absl::Now()), text);
    };
  }
  // The file may be edited before the move or behind it.
  const bool is_behind = options_.stale_config && past_.applied > past_.ended;
  auto bus = Bus::Open(setup_->At(past_.applied - (is_behind ? 1 : 0)),
                       std::move(bus_options));
  if (!bus.ok()) return bus.status();
  bus_ = *std::move(bus);
  auto receiver = bus_->OpenReceiver(kQueue);
  if (!receiver.ok()) return receiver.status();
  receiver_ = *std::move(receiver);
  confirmer_.emplace(&log_);
  ProcessorOptions processing;
  processing.concurrency = 8;
  processing.order = Order::kPerKey;
  processor_ = receiver_->Process(
      processing, [this](Delivery& delivery) { return Handle(delivery); });
  LoadOptions load;
  load.rate = options_.rate;
  load.keys = options_.keys;
  load.again = past_.again;
  load.first = past_.next;
  load.own_ids = true;
  load.send_timeout = absl::Hours(1);
  load.wait = absl::Seconds(options_.wait_s);
  auto started = Load::Start(*bus_, std::move(load), this);
  if (!started.ok()) return started.status();
  load_ = *std::move(started);
  return absl::OkStatus();
}

absl::Status Worker::Handle(Delivery& delivery) {
  const uint64_t number =
      std::stoull(std::string(delivery.message().body_view()));
  Record record{.step = Step::kHandling, .number = number};
  if (delivery.late()) record.flags |= kLate;
  if (delivery.redelivered()) record.flags |= kRedelivered;
  if (delivery.message().id() != IdOf(number)) record.flags |= kOtherId;
  log_.Write(record);
  effects_.OnHandled(number, false);
  log_.Write({.step = Step::kHandled, .number = number});
  confirmer_->Offer(number, delivery);
  return absl::OkStatus();
}

void Worker::Apply(uint64_t generation) {
  log_.Write({.step = Step::kApplied, .number = generation});
  past_.applied = generation;
  applied_at_ = absl::Now();
  absl::StatusOr<ChangePlan> plan = bus_->Plan(setup_->At(generation));
  if (plan.ok()) {
    // Copies of what was in doubt may have come there after it was left.
    plan->accepts_existing = true;
    if (const auto moving = bus_->Apply(*plan); moving.ok()) {
      Say("applied {}", generation);
      return;
    } else {
      plan = moving.status();
    }
  }
  Say("again {}: {}", generation, plan.status().ToString());
}

void Worker::LookAtMove() {
  if (past_.applied == past_.ended) return;
  const std::vector<MoveReport> moves = bus_->moves();
  const auto it =
      std::find_if(moves.begin(), moves.end(),
                   [](const auto& move) { return move.queue == kQueue; });
  const MoveReport report = it == moves.end() ? MoveReport() : *it;
  const QueueConfig queue = bus_->config().queues[kQueue];
  if (queue.generation >= past_.applied && queue.was.empty()) {
    past_.ended = past_.applied;
    log_.Write({.step = Step::kEnded, .number = past_.ended});
    const double took = absl::ToDoubleSeconds(absl::Now() - applied_at_);
    Say("ended {} {}", past_.ended,
        Json{{"took_s", took},
             {"in_flight", report.in_flight},
             {"in_doubt", report.in_doubt},
             {"late", report.late},
             {"proof", report.proof}}
            .dump());
    return;
  }
  const bool was_undone = report.state.empty() || report.state == "active";
  if (was_undone && absl::Now() - applied_at_ > absl::Seconds(2)) {
    Say("again {}: {}", past_.applied, report.status.ToString());
    Apply(past_.applied);
  }
}

// A line of standard input; "stop" at its end.
std::optional<std::string> Worker::ReadLine(absl::Duration timeout) {
  const size_t end = input_.find('\n');
  if (end != std::string::npos) {
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return line;
  }
  if (input_over_) return "stop";
  pollfd ready{STDIN_FILENO, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <
      1) {
    return std::nullopt;
  }
  char buffer[256];
  const ssize_t size = read(STDIN_FILENO, buffer, sizeof buffer);
  if (size <= 0) {
    input_over_ = true;
  } else {
    input_.append(buffer, static_cast<size_t>(size));
  }
  return std::nullopt;
}

int Worker::Run() {
  auto setup = Setup::Make(options_.setup);
  if (!setup.ok()) return Fail("config", setup.status());
  setup_ = *std::move(setup);
  if (options_.dedupe) {
    QueueConfig& queue = setup_->queue();
    queue.dedupe = absl::Hours(1);
    queue.dedupe_ids = 1'000'000;
    queue.ids = MessageIds::kUnique;
  }
  past_ = Recall(options_.log, &effects_);
  log_.Write({.step = Step::kStarted});
  if (const absl::Status open = Open(); !open.ok()) return Fail("open", open);
  if (past_.applied > past_.ended) Apply(past_.applied);
  Say("ready");
  for (;;) {
    const auto line = ReadLine(absl::Milliseconds(5));
    if (line == "stop") break;
    if (line == "move") Apply(past_.ended + 1);
    LookAtMove();
  }
  return Finish();
}

int Worker::Finish() {
  const bool all_answered = load_->Stop();
  const absl::Time until = absl::Now() + absl::Seconds(options_.wait_s);
  while (effects_.counts().lost > 0 && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  // Second copies may follow.
  absl::SleepFor(absl::Seconds(1));
  const absl::Status stopped = processor_->Stop(absl::Seconds(10));
  confirmer_.reset();
  const absl::Status closed = receiver_->Close(absl::Seconds(10));
  Say("left {}", effects_.counts().lost);
  if (!stopped.ok()) return Fail("stop", stopped);
  if (!closed.ok()) return Fail("close", closed);
  return all_answered && effects_.counts().lost == 0 ? 0 : 1;
}

// ---- judge.

Json ToJson(const Judge::Counts& counts) {
  return {{"sent", counts.sent},
          {"handled", counts.handled},
          {"lost", counts.lost},
          {"failed", counts.failed},
          {"late", counts.late},
          {"redelivered", counts.redelivered},
          {"twice_by_kill", counts.twice_by_kill},
          {"twice_marked", counts.twice_marked},
          {"twice_in_doubt", counts.twice_in_doubt},
          {"twice_unexplained", counts.twice_unexplained},
          {"out_of_order", counts.out_of_order},
          {"out_of_order_marked", counts.out_of_order_marked},
          {"overlaps", counts.overlaps},
          {"other_ids", counts.other_ids}};
}

int RunJudge(const Options& options) {
  Judge judge(options.keys);
  for (const Record& record : ReadLog(options.log)) judge.Add(record);
  const Judge::Findings findings = judge.End();
  Json result = ToJson(findings.all);
  result["incarnations"] = findings.incarnations;
  result["unended"] = findings.unended;
  result["faults"] = findings.first_faults;
  result["by_move"] = Json::object();
  for (const auto& [move, counts] : findings.by_move) {
    result["by_move"][fmt::format("{}", move)] = ToJson(counts);
  }
  const bool ok = findings.IsWell(options.dedupe);
  result["ok"] = ok;
  fmt::print("{}\n", result.dump());
  return ok ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("A process that moves a queue and may be killed.");
  app.require_subcommand(1);
  Options options;
  CLI::App* run = app.add_subcommand("run", "Send, handle and move");
  run->add_option("--from", options.setup.from, "URL of the queue at first")
      ->required();
  run->add_option("--to", options.setup.to, "URL that it moves to, and back")
      ->required();
  run->add_option("--state", options.setup.state_file, "State file")
      ->required();
  run->add_option("--rate", options.rate, "Messages a second");
  run->add_option("--quiet-period", options.setup.quiet_s, "In seconds");
  run->add_option("--wait", options.wait_s, "For what is left, in seconds");
  run->add_flag("--stale-config", options.stale_config,
                "Start with the config from before an unfinished move");
  run->add_flag("--verbose", options.verbose, "Say what happens");
  CLI::App* judge = app.add_subcommand("judge", "Say what it came to");
  for (CLI::App* each : {run, judge}) {
    each->add_option("--log", options.log, "Event log")->required();
    each->add_option("--keys", options.keys)->check(CLI::PositiveNumber);
    each->add_flag("--dedupe", options.dedupe,
                   "Second copies are suppressed by id");
  }
  CLI11_PARSE(app, argc, argv);
  if (judge->parsed()) return RunJudge(options);
  RegisterBackends();
  auto log = EventLog::Open(options.log);
  if (!log.ok()) return Fail("log", log.status());
  return Worker(options, *std::move(log)).Run();
}

}  // namespace
}  // namespace tieline::move_check

int main(int argc, char** argv) {
  return tieline::move_check::Main(argc, argv);
}
