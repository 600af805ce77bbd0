// tieline journal: what was decided, when and why.
#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "lib/base/status.h"
#include "lib/control/reply.h"
#include "lib/store/store.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/process.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

using Json = Process::Json;

constexpr int64_t kPiece = 500;
constexpr absl::Duration kEvery = absl::Milliseconds(500);

class Journal : public Command {
 public:
  explicit Journal(CLI::App* app) {
    app->add_option("--state", file_, "State file")->required();
    app->add_flag("--json", json_, "One JSON object a line");
    app->add_flag("-F,--follow", follow_,
                  "Go on with what is added, until interrupted");
    app->add_option("--from", next_, "Number of the first entry")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
  }

  ExitCode Run() override {
    if (access(file_.c_str(), F_OK) != 0) {
      return Fail(ExitCode::kInputOutput, "input",
                  fmt::format("there is no state file {}", file_),
                  "check the path");
    }
    auto process = Process::Find(file_);
    if (!process.ok()) return FailRead(process.status());
    if (*process == nullptr) {
      const ExitCode code = ReadFile();
      if (code != ExitCode::kOk || !follow_) return code;
    } else {
      process_ = *std::move(process);
    }
    return ReadProcess();
  }

 private:
  ExitCode ReadFile() {
    StoreOptions options;
    options.path = file_;
    options.drive = StoreDrive::kCaller;
    auto store = Store::Open(std::move(options));
    if (!store.ok()) return FailRead(store.status());
    while (true) {
      const auto entries = (*store)->ReadJournal(next_, kPiece);
      if (!entries.ok()) return FailRead(entries.status());
      if (entries->empty()) return ExitCode::kOk;
      for (const JournalEntry& entry : *entries) {
        Json detail =
            Json::parse(entry.json, nullptr, /*allow_exceptions=*/false);
        if (detail.is_discarded()) detail = entry.json;
        const ExitCode code =
            Put({{"number", entry.number},
                 {"time", absl::FormatTime(absl::RFC3339_full, entry.time,
                                           absl::UTCTimeZone())},
                 {"kind", entry.kind},
                 {"detail", std::move(detail)}});
        if (code != ExitCode::kOk) return code;
        next_ = entry.number + 1;
      }
    }
  }

  ExitCode ReadProcess() {
    while (true) {
      size_t got = 0;
      if (process_ != nullptr) {
        const auto answer =
            process_->Ask("journal", {{"from", next_}, {"limit", kPiece}});
        if (answer.ok()) {
          const ExitCode code = PutAll(*answer, &got);
          if (code != ExitCode::kOk) return code;
        } else if (follow_ &&
                   answer.status().code() == absl::StatusCode::kUnavailable) {
          process_ = nullptr;  // it ended; another may start
        } else {
          return FailRead(answer.status());
        }
      } else if (auto process = Process::Find(file_); process.ok()) {
        process_ = *std::move(process);
      }
      if (got > 0) continue;
      if (!follow_ || WaitForStop(kEvery)) return ExitCode::kOk;
    }
  }

  ExitCode PutAll(const Json& answer, size_t* got) {
    const auto entries = answer.find("entries");
    const auto next = answer.find("next");
    if (entries == answer.end() || !entries->is_array() ||
        next == answer.end() || !next->is_number_unsigned()) {
      return FailRead(
          absl::InternalError("the process's answer has no "
                              "entries"));
    }
    for (const Json& entry : *entries) {
      const ExitCode code = Put(entry);
      if (code != ExitCode::kOk) return code;
    }
    *got = entries->size();
    next_ = next->get<uint64_t>();
    return ExitCode::kOk;
  }

  ExitCode Put(const Json& entry) {
    std::string line = control::ToLine(entry);
    if (!json_) {
      line = fmt::format("{} {} {} {}", TextOf(entry, "number"),
                         TextOf(entry, "time"), TextOf(entry, "kind"),
                         TextOf(entry, "detail"));
    }
    const absl::Status written = output_.Write(line + "\n");
    if (written.ok()) return ExitCode::kOk;
    return Fail(ExitCode::kInputOutput, "output", MessageOf(written),
                "make room or give another output");
  }

  static std::string TextOf(const Json& entry, const char* name) {
    const auto it = entry.find(name);
    if (it == entry.end()) return "-";
    return it->is_string() ? it->get<std::string>() : control::ToLine(*it);
  }

  static ExitCode FailRead(const absl::Status& status) {
    return Fail(ExitCode::kInputOutput, "input", MessageOf(status), "");
  }

  std::string file_;
  bool json_ = false;
  bool follow_ = false;
  uint64_t next_ = 1;
  Output output_;
  std::unique_ptr<Process> process_;
};

}  // namespace

std::unique_ptr<Command> MakeJournal(CLI::App* app) {
  app->footer(
      "A process that has the state file open is asked at its control socket.\n"
      "Example:\n"
      "  tieline journal --state bridge.db --json --follow");
  return std::make_unique<Journal>(app);
}

}  // namespace tieline::tools
