// tieline store: looks after a state file that no process has open.
#include "lib/store/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "lib/control/reply.h"
#include "lib/engine/spool_entry.h"
#include "lib/engine/spool_lanes.h"
#include "lib/store/repair.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/ndjson.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

using control::Json;

constexpr int64_t kChunkBytes = int64_t{1} << 20;

class StoreCommand : public Command {
 public:
  explicit StoreCommand(CLI::App* app) {
    app->require_subcommand(1);
    check_ = app->add_subcommand(
        "check", "Read all of a state file, and say what is in it");
    repair_ = app->add_subcommand(
        "repair",
        "Keep what can be read of a damaged one; the damaged file stays as "
        "FILE.damaged-N");
    spool_ = app->add_subcommand(
        "spool",
        "Print the messages of a queue that no broker has taken yet, a line of "
        "JSON each, as `tieline send` reads them");
    for (CLI::App* sub : {check_, repair_, spool_}) {
      sub->add_option("FILE", file_, "State file")->required();
    }
    for (CLI::App* sub : {check_, repair_}) {
      sub->add_flag("--json", json_, "Answer in JSON");
    }
    spool_->add_option("QUEUE", queue_, "The queue's name")->required();
    spool_->add_flag("--rejected", rejected_,
                     "Instead, those that a broker refused for good");
    spool_->add_flag("--remove", remove_,
                     "Take them out when they are printed");
  }

  ExitCode Run() override {
    if (spool_->parsed()) return Spool();
    return check_->parsed() ? Check() : Repair();
  }

 private:
  absl::StatusOr<std::unique_ptr<Store>> Open() const {
    // Opening would make it.
    if (access(file_.c_str(), F_OK) != 0) {
      return MakeStatus(absl::StatusCode::kNotFound,
                        "there is no state file {}", file_);
    }
    StoreOptions options;
    options.path = file_;
    options.drive = StoreDrive::kCaller;
    return Store::Open(std::move(options));
  }

  ExitCode Spool() {
    const auto store = Open();
    if (!store.ok()) return FailStore(store.status());
    for (const auto& [lane, name] : (*store)->Queues()) {
      const bool is_its = rejected_ ? name == SpoolLanes::RejectedName(queue_)
                                    : SpoolLanes::IsLaneOf(name, queue_);
      if (!is_its) continue;
      const absl::Status printed = PrintLane(store->get(), lane);
      if (!printed.ok()) return FailStore(printed);
    }
    return ExitCode::kOk;
  }

  absl::Status PrintLane(Store* store, QueueId lane) const {
    TIELINE_ASSIGN_OR_RETURN(const Store::SpoolRange range,
                             store->RangeOf(lane));
    Output output;
    for (uint64_t next = range.trimmed + 1; next <= range.last;) {
      TIELINE_ASSIGN_OR_RETURN(const SpoolChunk chunk,
                               store->ReadSpool(lane, next, kChunkBytes));
      for (const SpoolChunk::Entry& stored : chunk.entries) {
        TIELINE_ASSIGN_OR_RETURN(const SpoolEntry entry,
                                 DecodeSpoolEntry(stored.bytes));
        TIELINE_RETURN_IF_ERROR(output.Write(ToJsonLine(entry.message) + "\n"));
        next = stored.sequence + 1;
      }
    }
    if (!remove_ || range.last == range.trimmed) return absl::OkStatus();
    StoreBatch batch;
    batch.Trim(lane, range.last);
    return store->Commit(std::move(batch)).status();
  }

  ExitCode Check() {
    const auto store = Open();
    if (!store.ok()) return FailStore(store.status());
    const StoreState state = (*store)->state();
    const size_t queues = (*store)->Queues().size();
    if (json_) {
      return Put(control::ToLine({{"file", file_},
                                  {"queues", queues},
                                  {"spool_entries", state.spool_entries},
                                  {"spool_bytes", state.spool_bytes},
                                  {"inbox_ids", state.inbox_ids},
                                  {"journal_bytes", state.journal_bytes},
                                  {"commits", state.commits}}));
    }
    return Put(fmt::format(
        "{}: fine: {} queues, {} messages in the spool ({} bytes), {} ids in "
        "the inbox, {} bytes of journal",
        file_, queues, Number(state.spool_entries), Number(state.spool_bytes),
        Number(state.inbox_ids), Number(state.journal_bytes)));
  }

  ExitCode Repair() {
    const auto report = RepairStore(file_);
    if (!report.ok()) return FailStore(report.status());
    if (!json_) return Put(fmt::format("{}: {}", file_, report->ToString()));
    const auto part = [](const RepairReport::Part& of) -> Json {
      return {{"kept", of.kept}, {"lost", of.lost}};
    };
    return Put(
        control::ToLine({{"file", file_},
                         {"queues", part(report->queues)},
                         {"spool_entries", part(report->spool_entries)},
                         {"inbox_ids", part(report->inbox_ids)},
                         {"journal_entries", part(report->journal_entries)},
                         {"damaged_segments", report->damaged_segments},
                         {"lost_commits", report->lost_commits},
                         {"unreadable_tables", report->unreadable_tables},
                         {"damaged_file", report->damaged_file}}));
  }

  static std::string Number(int64_t number) {
    return Grouped(static_cast<uint64_t>(number));
  }

  static ExitCode Put(const std::string& text) {
    const absl::Status written = Output().Write(text + "\n");
    if (written.ok()) return ExitCode::kOk;
    return Fail(ExitCode::kInputOutput, "output", MessageOf(written), "");
  }

  // In use or damaged is a finding, the rest is the disk's.
  static ExitCode FailStore(const absl::Status& status) {
    const bool finding = status.code() == absl::StatusCode::kDataLoss ||
                         status.code() == absl::StatusCode::kFailedPrecondition;
    return finding
               ? Fail(ExitCode::kFailed, "failed", MessageOf(status), "")
               : Fail(ExitCode::kInputOutput, "input", MessageOf(status), "");
  }

  CLI::App* check_;
  CLI::App* repair_;
  CLI::App* spool_;
  std::string file_;
  std::string queue_;
  bool rejected_ = false;
  bool remove_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeStore(CLI::App* app) {
  app->footer("Stop the process that uses the file first.");
  return std::make_unique<StoreCommand>(app);
}

}  // namespace tieline::tools
