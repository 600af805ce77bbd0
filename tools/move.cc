// tieline move: takes a queue to another broker, in the process that runs it
// and in the config.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/config/document.h"
#include "lib/config/edit.h"
#include "lib/config/field_text.h"
#include "lib/control/move_json.h"
#include "tools/command.h"
#include "tools/edit_file.h"
#include "tools/failure.h"
#include "tools/move_progress.h"
#include "tools/options.h"
#include "tools/process.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

using config::QueueBinding;
using Json = Process::Json;

constexpr absl::Duration kTick = absl::Milliseconds(100);
// The report of a move that was begun appears at once.
constexpr absl::Duration kAppears = absl::Seconds(5);

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

class Move : public Command {
 public:
  explicit Move(CLI::App* app) {
    app->add_option("QUEUE", queue_, "Name of the queue in the file")
        ->required();
    app->add_option("--to", to_, "Name of the broker in the file to move to");
    app->add_option("-c,--config", file_, "Configuration file (YAML)")
        ->required();
    app->add_option("--generation", generation_,
                    "Number of the new binding, above the present one "
                    "(default: the next)")
        ->check(CLI::PositiveNumber);
    app->add_flag("--plan", plan_, "Say what would be done, and do nothing");
    app->add_flag("--proceed", proceed_,
                  "Go on without a proof that the earlier brokers are empty; "
                  "what they still have is delivered late");
    app->add_flag("--accept-existing", accept_existing_,
                  "The new broker may hold messages already: they are "
                  "delivered first");
    app->add_flag("--print-edit", print_edit_,
                  "Print the edit of the file instead of making it");
    app->add_flag("--json", json_, "Report as lines of JSON");
    AddDuration(app, "--timeout", &timeout_,
                "How long to watch; the move goes on after it (default: until "
                "it is done)");
  }

  ExitCode Run() override {
    if (to_.empty() && !proceed_) {
      return Fail(ExitCode::kUsage, "usage", "there is nothing to do",
                  "give --to BROKER, or --proceed");
    }
    progress_.emplace(json_);
    auto text = config::ReadFile(file_, config::kMaxTextBytes);
    if (!text.ok()) return FailConfig(text.status());
    const auto state_file = config::ReadStateFile(*text, DirectoryOf(file_));
    if (!state_file.ok()) {
      // Of anchors and the like this says more.
      const auto edited = config::EditMove(*text, queue_, to_, generation_);
      return FailFile(edited.ok() ? state_file.status() : edited.status());
    }
    if (!state_file->empty()) {
      auto process = Process::Find(*state_file);
      if (!process.ok()) return FailProcess(process.status());
      if (*process != nullptr) {
        process_ = *std::move(process);
        return MoveInProcess();
      }
    }
    return MoveInFile(*text);
  }

 private:
  // No process runs: the next one that starts begins there.
  ExitCode MoveInFile(const std::string& text) {
    if (to_.empty()) {
      return Fail(ExitCode::kNotFound, "not found",
                  "no process runs with this file, so there is no move to go "
                  "on with",
                  "");
    }
    const auto now = config::ReadBinding(text, queue_);
    if (now.ok() && now->broker == to_) {
      progress_->Say("done", fmt::format("{} is at {} already", queue_, to_));
      return ExitCode::kOk;
    }
    const auto edited = config::EditMove(text, queue_, to_, generation_);
    if (!edited.ok()) return FailFile(edited.status());
    const QueueBinding binding = config::MovedTo(*now, to_, generation_);
    progress_->ShowPlan({{.queue = queue_,
                          .from = now->broker,
                          .to = to_,
                          .from_generation = now->generation,
                          .to_generation = binding.generation,
                          .notes = {"no process runs with this file"}}});
    if (plan_) return ExitCode::kOk;
    const ExitCode code = Write(binding);
    if (code == ExitCode::kOk && !print_edit_) {
      progress_->Say("done", fmt::format("only {} was changed; what is still "
                                         "at {} is drained by the next process "
                                         "that starts with it",
                                         file_, now->broker));
    }
    return code;
  }

  ExitCode MoveInProcess() {
    if (!to_.empty()) {
      const ExitCode code = Begin();
      if (code != ExitCode::kOk || plan_) return code;
    } else {
      const absl::Status read = AskBinding();
      if (!read.ok()) return FailProcess(read);
    }
    if (proceed_) {
      const auto answer = process_->Ask("proceed", {{"queue", queue_}});
      if (!answer.ok()) return FailProcess(answer.status());
      progress_->Say("proceed", "told to go on without a proof");
    }
    return Watch();
  }

  ExitCode Begin() {
    Json request = {{"queue", queue_}, {"to", to_}};
    if (generation_ != 0) request["generation"] = generation_;
    if (accept_existing_) request["accept_existing"] = true;
    const auto answer = process_->Ask("plan", request);
    if (!answer.ok()) return FailProcess(answer.status());
    absl::Status read = ReadBindingOf(*answer);
    std::vector<PlannedMove> moves;
    if (answer->contains("moves") && (*answer)["moves"].is_array()) {
      for (const Json& json : (*answer)["moves"]) {
        auto move = control::PlannedMoveFromJson(json);
        if (!move.ok()) {
          read.Update(move.status());
          break;
        }
        moves.push_back(*std::move(move));
      }
    }
    if (!read.ok()) return FailProcess(read);
    is_there_ = moves.empty();
    progress_->ShowPlan(moves);
    if (is_there_) {
      progress_->Say("there", fmt::format("{} goes to {} already", queue_,
                                          binding_.broker));
    }
    if (plan_ || is_there_) return ExitCode::kOk;
    const auto begun = process_->Ask("apply", request);
    if (!begun.ok()) return FailProcess(begun.status());
    return ExitCode::kOk;
  }

  // Where the queue is now, for the process.
  absl::Status AskBinding() {
    TIELINE_ASSIGN_OR_RETURN(const Json answer,
                             process_->Ask("queue", {{"queue", queue_}}));
    return ReadBindingOf(answer);
  }

  // Where the queue is when the move has been made.
  absl::Status ReadBindingOf(const Json& answer) {
    const auto it = answer.find("binding");
    if (it == answer.end()) {
      return absl::InternalError("the process's answer has no binding");
    }
    TIELINE_ASSIGN_OR_RETURN(const QueueConfig queue,
                             control::BindingFromJson(*it));
    binding_ = config::BindingOf(queue);
    return absl::OkStatus();
  }

  // The last report of the queue, if there is one; it may be that of an earlier
  // move.
  absl::StatusOr<std::optional<MoveReport>> FindReport() {
    TIELINE_ASSIGN_OR_RETURN(const Json answer, process_->Ask("moves"));
    const auto moves = answer.find("moves");
    if (moves == answer.end() || !moves->is_array()) {
      return absl::InternalError("the process's answer has no moves");
    }
    for (const Json& json : *moves) {
      TIELINE_ASSIGN_OR_RETURN(MoveReport report,
                               control::MoveReportFromJson(json));
      if (report.queue == queue_) {
        return std::optional<MoveReport>(std::move(report));
      }
    }
    return std::optional<MoveReport>();
  }

  // Until the earlier brokers are drained.
  ExitCode Watch() {
    const absl::Time began = absl::Now();
    while (true) {
      const absl::Time now = absl::Now();
      const auto report = FindReport();
      if (!report.ok()) return FailProcess(report.status());
      const bool is_this =
          report->has_value() && (*report)->generation >= binding_.generation;
      if (is_this) progress_->Show(**report, now);
      if (report->has_value()) {
        if (const auto code = Judge(**report, is_this)) return *code;
      }
      if (is_this) {
        seen_ = true;
      } else if (is_there_) {
        return Settle();  // moved before the process started
      } else if (!seen_ && now - began > kAppears) {
        return Fail(ExitCode::kFailed, "failed",
                    fmt::format("the process knows of no move of {}", queue_),
                    "look at its log");
      }
      if (WaitForStop(kTick)) return Interrupt();
      if (now - began >= timeout_) return TimeOut();
    }
  }

  // What the report says about how this ends; nothing while it goes on.
  std::optional<ExitCode> Judge(const MoveReport& report, bool is_this) {
    // Refused, not prepared, or undone.
    if (report.state == "active" && !report.drained_all &&
        !report.status.ok()) {
      return FailStatus(report.status, queue_);
    }
    if (!is_this) return std::nullopt;
    const bool switched = report.state == "switching" ||
                          report.state == "draining" ||
                          report.state == "retiring" || report.drained_all;
    if (switched) {
      if (report.generation > binding_.generation) {
        const absl::Status read = AskBinding();
        if (!read.ok()) return FailProcess(read);
      }
      const ExitCode code = Settle();
      if (code != ExitCode::kOk) return code;
    }
    if (!report.drained_all) return std::nullopt;
    progress_->ShowEnd(report);
    return Settle();
  }

  ExitCode Interrupt() {
    if (settled_) return Leave(ExitCode::kInterrupted, "interrupted");
    const auto answer = process_->Ask("cancel", {{"queue", queue_}});
    if (answer.ok()) {
      return Fail(ExitCode::kInterrupted, "interrupted",
                  fmt::format("the move of {} is cancelled", queue_),
                  "nothing has changed");
    }
    if (answer.status().code() != absl::StatusCode::kFailedPrecondition) {
      return FailProcess(answer.status());
    }
    Settle();  // it switched meanwhile
    return Leave(ExitCode::kInterrupted, "interrupted");
  }

  ExitCode TimeOut() { return Leave(ExitCode::kTimedOut, "timed out"); }

  ExitCode Leave(ExitCode code, std::string_view what) const {
    return Fail(code, what,
                fmt::format("the move of {} goes on in its process", queue_),
                "run this again to watch it");
  }

  // Writes down, once, where the queue is now.
  ExitCode Settle() {
    if (settled_) return settled_code_;
    settled_ = true;
    settled_code_ = Write(binding_);
    return settled_code_;
  }

  ExitCode Write(const QueueBinding& binding) {
    if (print_edit_) {
      progress_->Say("edit", config::EditByHand(queue_, binding));
      return ExitCode::kOk;
    }
    const auto text = config::ReadFile(file_, config::kMaxTextBytes);
    if (!text.ok()) return FailUnwritten(text.status(), binding);
    // Who has drained a broker need not be the only one that reads the file:
    // was is left as it is when the rest is right.
    const auto now = config::ReadBinding(*text, queue_);
    if (now.ok() && now->broker == binding.broker &&
        now->generation == binding.generation) {
      return ExitCode::kOk;
    }
    const auto edited = config::WriteBinding(*text, queue_, binding);
    if (!edited.ok()) return FailUnwritten(edited.status(), binding);
    const absl::Status written = ReplaceFile(file_, *edited);
    if (!written.ok()) return FailUnwritten(written, binding);
    progress_->Say("written", fmt::format("{}: {}", file_,
                                          config::EditByHand(queue_, binding)));
    return ExitCode::kOk;
  }

  ExitCode FailUnwritten(const absl::Status& status,
                         const QueueBinding& binding) const {
    const bool has_edit =
        MessageOf(status).find("by hand") != std::string_view::npos;
    return Fail(ExitCode::kInputOutput, "output",
                fmt::format("{}: {}{}", file_, MessageOf(status),
                            has_edit ? ""
                                     : "; by hand: " +
                                           config::EditByHand(queue_, binding)),
                process_ == nullptr
                    ? ""
                    : "the move is not finished for processes that start anew "
                      "until the file says so");
  }

  ExitCode FailFile(const absl::Status& status) const {
    return Fail(ExitCode::kConfig, "config",
                fmt::format("{}: {}", file_, MessageOf(status)), "");
  }

  ExitCode FailProcess(const absl::Status& status) const {
    switch (status.code()) {
      case absl::StatusCode::kUnavailable:
        return Fail(ExitCode::kUnreachable, "process", MessageOf(status),
                    "start it again: it goes on with the move; then run this "
                    "again");
      case absl::StatusCode::kInvalidArgument:
        return Fail(ExitCode::kConfig, "config", MessageOf(status), "");
      case absl::StatusCode::kDeadlineExceeded:
        return Fail(ExitCode::kTimedOut, "process", MessageOf(status),
                    "try again");
      default:
        return Fail(CodeOf(status), "process", MessageOf(status), "");
    }
  }

  std::string queue_;
  std::string to_;
  std::string file_;
  uint64_t generation_ = 0;
  bool plan_ = false;
  bool proceed_ = false;
  bool accept_existing_ = false;
  bool print_edit_ = false;
  bool json_ = false;
  absl::Duration timeout_ = absl::InfiniteDuration();

  std::optional<MoveProgress> progress_;
  std::unique_ptr<Process> process_;
  QueueBinding binding_;   // after the move
  bool is_there_ = false;  // it goes there already
  bool seen_ = false;      // the process told of the move
  bool settled_ = false;   // the file says so, or could not be written
  ExitCode settled_code_ = ExitCode::kOk;
};

}  // namespace

std::unique_ptr<Command> MakeMove(CLI::App* app) {
  app->footer(
      "The process that runs the file is told at its control socket, beside\n"
      "the state file; without one, only the file is changed. Once the queue\n"
      "has moved, its broker, generation and was are written into the file;\n"
      "comments and layout stay. Ctrl-C before that cancels the move, after "
      "it\n"
      "the move goes on in its process.\n"
      "Examples:\n"
      "  tieline move observations --to fresh --config bridge.yaml --plan\n"
      "  tieline move observations --to fresh --config bridge.yaml\n"
      "  tieline move observations --proceed --config bridge.yaml");
  return std::make_unique<Move>(app);
}

}  // namespace tieline::tools
