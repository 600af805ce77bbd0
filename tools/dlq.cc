// tieline dlq: what was given up, and what is to become of it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/dead_letter_taker.h"
#include "tools/dead_letters.h"
#include "tools/failure.h"
#include "tools/ndjson.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/stop.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxCount = 100'000;
// Of the detail, in a table.
constexpr size_t kMaxText = 60;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Cut(const std::string& text) {
  std::string out = text.substr(0, kMaxText);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out.empty() ? "-" : out;
}

std::string TimeOf(const Message& message) {
  if (!message.has(Field::kCreated)) return "";
  return absl::FormatTime(absl::RFC3339_full, message.created(),
                          absl::UTCTimeZone());
}

// A queue of the config and its dead letters.
class OnDeadLetters : public Command {
 public:
  explicit OnDeadLetters(CLI::App* app) {
    queue_.Add(app);
    AddDuration(app, "--timeout", &timeout_, "How long to try");
  }

 protected:
  // Opens the bus with the place, and with `to` (a URL or a name) as well.
  ExitCode Open(const std::string& to = "") {
    auto config = queue_.Load(&name_);
    if (!config.ok()) return FailConfig(config.status());
    to_ = name_;
    if (!to.empty()) {
      const bool is_url = to.find("://") != std::string::npos;
      const auto found = is_url ? config->AddUrl(to) : NameOf(*config, to);
      if (!found.ok()) return FailConfig(found.status());
      to_ = *found;
    }
    auto place = AddDeadLetterPlace(name_, timeout_, &*config);
    if (!place.ok()) return FailStatus(place.status(), name_);
    place_ = *std::move(place);
    const QueueConfig& from = config->queues.at(place_.queue);
    const QueueConfig& target = config->queues.at(to_);
    if (from.broker == target.broker && from.entity == target.entity) {
      return Fail(ExitCode::kUsage, "usage",
                  fmt::format("{} is where the dead letters are", to),
                  "give another queue");
    }
    is_made_ = config->queues.at(name_).create;
    const absl::Status valid = config->Validate();
    if (!valid.ok()) return FailConfig(valid);
    auto bus = OpenBus(*std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    bus_ = *std::move(bus);
    return ExitCode::kOk;
  }

  absl::Status Look(const std::function<bool(const DeadLetter&)>& see) {
    return LookAtDeadLetters(bus_.get(), place_, timeout_, see);
  }

  // A place that nobody needed yet is no error; a topic that isn't there, and
  // would not be made, is.
  ExitCode CheckQueue() {
    if (is_made_ || place_.settles_singly) return ExitCode::kOk;
    const absl::Status depth = bus_->Depth(name_, timeout_).status();
    if (depth.code() != absl::StatusCode::kNotFound) return ExitCode::kOk;
    return FailStatus(depth, name_, *bus_);
  }

  static ExitCode Put(const std::string& text) {
    const absl::Status written = Output().Write(text);
    if (written.ok()) return ExitCode::kOk;
    return Fail(ExitCode::kInputOutput, "output", MessageOf(written),
                "make room or give another output");
  }

  QueueOption queue_;
  absl::Duration timeout_ = absl::Seconds(10);
  std::string name_;
  std::string to_;  // where to send; the queue itself unless said otherwise
  DeadLetterPlace place_;
  bool is_made_ = false;  // the queue, when it is missing
  std::unique_ptr<Bus> bus_;

 private:
  static absl::StatusOr<std::string> NameOf(const Config& config,
                                            const std::string& name) {
    if (config.queues.count(name) != 0) return name;
    return InvalidArgument(
        "there is no queue \"{}\"; give a URL, or with --config the name of a "
        "queue there",
        name);
  }
};

class List : public OnDeadLetters {
 public:
  explicit List(CLI::App* app) : OnDeadLetters(app) {
    app->add_option("-n,--count", count_, "Dead letters at most")
        ->check(CLI::Range(uint64_t{1}, kMaxCount))
        ->capture_default_str();
    app->add_flag("--json", json_, "Answer in JSON, a line for each");
  }

  ExitCode Run() override {
    const ExitCode opened = Open();
    if (opened != ExitCode::kOk) return opened;
    uint64_t listed = 0;
    bool has_more = false;
    std::string lines;
    std::vector<std::vector<std::string>> rows;
    const absl::Status looked = Look([&](const DeadLetter& letter) {
      if (!letter.is_of_source) return true;
      has_more = listed == count_;
      if (has_more || StopSignal() != 0) return false;
      ++listed;
      if (json_) {
        lines += Dump(ToJson(letter));
      } else {
        rows.push_back(ToRow(letter));
      }
      return true;
    });
    if (!looked.ok()) return FailStatus(looked, name_, *bus_);
    if (listed == 0) {
      const ExitCode code = CheckQueue();
      if (code != ExitCode::kOk) return code;
    }
    if (!json_ && listed > 0) {
      lines = LiveTable({"id", "created", "size", "attempts", "message id",
                         "reason", "detail"})
                  .Render(rows);
    }
    const ExitCode code = Put(lines);
    if (code == ExitCode::kOk) Say(listed, has_more);
    return code;
  }

 private:
  void Say(uint64_t listed, bool has_more) const {
    if (listed == 0) {
      fmt::print(stderr, "tieline: no dead letters of {} at {}\n",
                 place_.source, place_.entity);
    } else if (has_more) {
      fmt::print(stderr, "tieline: there are more; --count shows them\n");
    }
  }

  Json ToJson(const DeadLetter& letter) const {
    const Message& message = letter.inbound->message;
    Json out = {{"id", letter.id}};
    if (!place_.settles_singly) out["partition"] = letter.partition;
    if (letter.inbound->position >= 0) {
      out["position"] = letter.inbound->position;
    }
    const std::string created = TimeOf(message);
    if (!created.empty()) out["created"] = created;
    if (!letter.marks.reason.empty()) out["reason"] = letter.marks.reason;
    if (!letter.marks.detail.empty()) out["detail"] = letter.marks.detail;
    out["attempts"] = letter.inbound->attempts;
    out["size"] = message.body_view().size();
    if (message.has(Field::kId)) out["message_id"] = std::string(message.id());
    if (message.has(Field::kKey)) out["key"] = std::string(message.key());
    return out;
  }

  static std::vector<std::string> ToRow(const DeadLetter& letter) {
    const Message& message = letter.inbound->message;
    return {letter.id,
            Cut(TimeOf(message)),
            Grouped(message.body_view().size()),
            fmt::format("{}", letter.inbound->attempts),
            Cut(std::string(message.id())),
            Cut(letter.marks.reason),
            Cut(letter.marks.detail)};
  }

  uint64_t count_ = 1000;
  bool json_ = false;
};

class Show : public OnDeadLetters {
 public:
  explicit Show(CLI::App* app) : OnDeadLetters(app) {
    app->add_option("ID", id_, "As `tieline dlq list` names it")->required();
    app->add_flag("--pretty", pretty_, "Over several lines, for reading");
  }

  ExitCode Run() override {
    const ExitCode opened = Open();
    if (opened != ExitCode::kOk) return opened;
    std::optional<std::string> line;
    const absl::Status looked = Look([&](const DeadLetter& letter) {
      const bool is_it = letter.is_of_source && letter.id == id_;
      if (is_it) line = ToJsonLine(letter.inbound->message);
      return !is_it && StopSignal() == 0;
    });
    if (!looked.ok()) return FailStatus(looked, name_, *bus_);
    if (!line.has_value()) {
      return Fail(ExitCode::kNotFound, "not found",
                  fmt::format("{}: there is no dead letter {}", name_, id_),
                  "`tieline dlq list` names them");
    }
    if (pretty_) *line = Json::parse(*line).dump(2);
    return Put(*line + "\n");
  }

 private:
  std::string id_;
  bool pretty_ = false;
};

// What takes dead letters out of their place.
class Take : public OnDeadLetters {
 public:
  enum class What : uint8_t { kRetry, kMove, kPurge };

  Take(CLI::App* app, What what) : OnDeadLetters(app), what_(what) {
    app->add_option("ID", ids_, "As `tieline dlq list` names them");
    app->add_flag("--all", all_, "All that are there now, instead of ids");
    app->add_option("-n,--count", count_, "With --all: the oldest, at most")
        ->check(CLI::Range(uint64_t{1}, kMaxCount))
        ->capture_default_str();
    if (what == What::kMove) {
      app->add_option("--to", target_,
                      "Where to: a URL, or with --config the name of a queue "
                      "there")
          ->required();
    }
    if (what != What::kPurge) {
      app->add_flag("--new-ids", new_ids_,
                    "Give them new message ids, for a queue or a reader that "
                    "drops second copies");
    } else {
      app->add_flag("--yes", yes_, "Delete without asking");
    }
    AddDuration(app, "--idle", &idle_,
                "How long to wait for the next one that is to be taken");
    app->add_flag("--json", json_, "Answer in JSON");
    app->add_flag("-q,--quiet", quiet_, "Do not say how many");
  }

  ExitCode Run() override {
    if (all_ == !ids_.empty()) {
      return Fail(ExitCode::kUsage, "usage", "which dead letters?",
                  "give either their ids or --all");
    }
    const bool can_ask = isatty(STDIN_FILENO) != 0;
    if (what_ == What::kPurge && !yes_ && !can_ask) {
      return Fail(ExitCode::kUsage, "usage", "purge deletes for good",
                  "give --yes as well");
    }
    const ExitCode opened = Open(target_);
    if (opened != ExitCode::kOk) return opened;
    DeadLetterChoice choice(ids_, count_, place_);
    const bool looks = place_.can_look || !ids_.empty();
    if (looks) {
      const ExitCode code = Choose(&choice);
      if (code != ExitCode::kOk) return code;
    }
    TakeOptions options;
    options.choice = looks ? &choice : nullptr;
    options.most = count_;
    options.idle = idle_;
    options.timeout = timeout_;
    options.stop = StopToken();
    if (looks && choice.size() == 0) return Tell({}, false);
    if (what_ == What::kPurge && !yes_ && !Confirms(options)) {
      return Fail(ExitCode::kInterrupted, "interrupted", name_,
                  "nothing was deleted");
    }
    return Send(std::move(options));
  }

 private:
  ExitCode Choose(DeadLetterChoice* choice) {
    const absl::Status looked = Look([&](const DeadLetter& letter) {
      return choice->See(letter) && StopSignal() == 0;
    });
    if (!looked.ok()) return FailStatus(looked, name_, *bus_);
    if (StopSignal() != 0) {
      return Fail(ExitCode::kInterrupted, "interrupted", name_, "");
    }
    const absl::Status status = choice->Check();
    if (status.ok()) return choice->size() == 0 ? CheckQueue() : ExitCode::kOk;
    const std::string where = fmt::format("{}: {}", name_, MessageOf(status));
    if (status.code() == absl::StatusCode::kNotFound) {
      return Fail(ExitCode::kNotFound, "not found", where,
                  "`tieline dlq list` names them");
    }
    return Fail(ExitCode::kFailed, "failed", where,
                "name that one too, or take --all; `tieline dlq show QUEUE ID "
                "| tieline send QUEUE` sends one again and leaves it there");
  }

  bool Confirms(const TakeOptions& options) const {
    const std::string count =
        options.choice == nullptr
            ? fmt::format("up to {}", Grouped(count_))
            : Grouped(static_cast<uint64_t>(options.choice->size()));
    fmt::print(stderr, "tieline: delete {} dead letters of {} for good? [y/N] ",
               count, name_);
    std::fflush(stderr);
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "yes";
  }

  ExitCode Send(TakeOptions options) {
    std::unique_ptr<Sender> sender;
    if (what_ != What::kPurge) {
      SenderOptions sending;
      sending.timeout = timeout_;
      sending.stamp_ids = new_ids_;
      auto opened = bus_->OpenSender(to_, sending);
      if (!opened.ok()) return FailStatus(opened.status(), to_);
      sender = *std::move(opened);
      const absl::Status open = sender->WaitOpen(timeout_);
      if (!open.ok()) return FailStatus(open, to_, *bus_);
      options.to = sender.get();
      options.drops_ids = new_ids_;
    }
    const bool has_more =
        options.choice != nullptr && options.choice->has_more();
    const bool shows = isatty(STDERR_FILENO) != 0 && !json_ && !quiet_;
    if (shows) {
      const size_t all = options.choice == nullptr ? 0 : options.choice->size();
      options.progress = [this, all](uint64_t done) {
        fmt::print(stderr, "\rtieline: {} {}{}", Word(), Grouped(done),
                   all == 0 ? "" : fmt::format(" of {}", Grouped(all)));
      };
    }
    const TakeResult result =
        DeadLetterTaker(bus_.get(), place_, std::move(options)).Run();
    if (shows) fmt::print(stderr, "\r\x1b[2K");
    const ExitCode told = Tell(result, has_more || result.may_have_more);
    const ExitCode code = Judge(result);
    return code == ExitCode::kOk ? told : code;
  }

  ExitCode Tell(const TakeResult& result, bool has_more) const {
    if (json_) {
      return Put(Dump({{"queue", name_},
                       {Word(), result.taken},
                       {"failed", result.failed},
                       {"missing", result.missing},
                       {"more", has_more}}));
    }
    if (!quiet_) {
      fmt::print(stderr, "tieline: {} {}, failed {}{}\n", Word(), result.taken,
                 result.failed,
                 has_more ? "; there may be more: run it again" : "");
    }
    return ExitCode::kOk;
  }

  ExitCode Judge(const TakeResult& result) const {
    if (result.failed > 0) {
      const std::string where =
          result.first_failed_id.empty()
              ? to_
              : fmt::format("{}: dead letter {}", to_, result.first_failed_id);
      return FailStatus(result.first_failure, where);
    }
    if (result.status.code() == absl::StatusCode::kFailedPrecondition) {
      return Fail(ExitCode::kFailed, "failed",
                  fmt::format("{}: {}", to_, MessageOf(result.status)),
                  "give --new-ids");
    }
    if (!result.status.ok()) {
      if (result.taken == 0) return FailStatus(result.status, name_, *bus_);
      return Fail(CodeOf(result.status), "failed",
                  fmt::format("{}: {}", name_, MessageOf(result.status)),
                  "some of these may be in both places: look at `tieline dlq "
                  "list`");
    }
    if (result.missing == 0) return ExitCode::kOk;
    return Fail(ExitCode::kTimedOut, "timed out",
                fmt::format("{}: {} did not come within {}", name_,
                            result.missing, absl::FormatDuration(idle_)),
                "another receiver has them or had them; look at `tieline dlq "
                "list`");
  }

  const char* Word() const {
    return what_ == What::kRetry  ? "retried"
           : what_ == What::kMove ? "moved"
                                  : "purged";
  }

  const What what_;
  std::vector<std::string> ids_;
  bool all_ = false;
  uint64_t count_ = 10'000;
  std::string target_;
  bool yes_ = false;
  bool new_ids_ = false;
  absl::Duration idle_ = absl::Seconds(5);
  bool json_ = false;
  bool quiet_ = false;
};

// Runs whichever of its subcommands was given.
class Dlq : public Command {
 public:
  explicit Dlq(CLI::App* app) {
    app->require_subcommand(1);
    CLI::App* list = Sub(app, "list", "Name the dead letters of a queue");
    Add<List>(list);
    CLI::App* show = Sub(app, "show", "Print a dead letter, taking nothing");
    Add<Show>(show);
    CLI::App* retry =
        Sub(app, "retry", "Send dead letters to their queue again");
    Add<Take>(retry, Take::What::kRetry);
    CLI::App* move = Sub(app, "move", "Send dead letters to another queue");
    Add<Take>(move, Take::What::kMove);
    CLI::App* purge = Sub(app, "purge", "Delete dead letters");
    Add<Take>(purge, Take::What::kPurge);
  }

  ExitCode Run() override {
    for (const auto& [app, command] : commands_) {
      if (app->parsed()) return command->Run();
    }
    return ExitCode::kUsage;
  }

 private:
  static CLI::App* Sub(CLI::App* app, const char* name, const char* what) {
    return app->add_subcommand(name, what);
  }
  template <typename T, typename... More>
  void Add(CLI::App* app, More... more) {
    commands_.emplace_back(app, std::make_unique<T>(app, more...));
  }

  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands_;
};

}  // namespace

std::unique_ptr<Command> MakeDlq(CLI::App* app) {
  app->footer(
      "A dead letter is completed only after the broker has what was sent: "
      "none\n"
      "is lost, and one may be sent twice. What a broker can't do, and where "
      "it\n"
      "keeps dead letters: docs/guide/operating.md.\n"
      "Examples:\n"
      "  tieline dlq list kafka://localhost:9092/orders\n"
      "  tieline dlq retry kafka://localhost:9092/orders 0:17\n"
      "  tieline dlq move orders --to repair --all --config bridge.yaml\n"
      "  tieline dlq purge amqp://localhost:5672/orders --all --yes");
  return std::make_unique<Dlq>(app);
}

}  // namespace tieline::tools
