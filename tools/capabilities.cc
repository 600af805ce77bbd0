// tieline capabilities: what the brokers behind queues can do.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/drain_proof.h"
#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/output.h"

namespace tieline::tools {
namespace {

struct Column {
  std::string head;
  Capabilities can;
};

// What users ask for, in their words; not every capability is one.
struct RowText {
  Capability capability;
  std::string_view text;
};

constexpr RowText kRows[] = {
    {Capability::kOrdering, "order per key"},
    {Capability::kOrderedPipelining, "several sends of a key on their way"},
    {Capability::kSingleSettle, "messages settled one by one"},
    {Capability::kBrokerRedelivery, "redelivery by the broker"},
    {Capability::kDeadLetter, "dead letters by the broker"},
    {Capability::kAttemptCount, "count of delivery attempts"},
    {Capability::kDefer, "defer"},
    {Capability::kSchedule, "scheduled delivery"},
    {Capability::kCancelScheduled, "cancel what is scheduled"},
    {Capability::kTtl, "time to live"},
    {Capability::kSessions, "sessions"},
    {Capability::kLockRenewal, "renewal of locks"},
    {Capability::kDuplicateDetection, "duplicate detection by the broker"},
    {Capability::kTransactions, "transactions"},
    {Capability::kPeek, "peek"},
    {Capability::kDepth, "depth"},
    {Capability::kListEntities, "list of queues"},
    {Capability::kCreateEntity, "create queues"},
    {Capability::kReplay, "receive again from an offset or time"},
};
static_assert(std::size(kRows) == kCapabilityCount);

class CapabilitiesCommand : public Command {
 public:
  explicit CapabilitiesCommand(CLI::App* app) {
    app->add_option("QUEUES", urls_, "URLs of queues, to ask their brokers")
        ->required();
    app->add_option("--name", names_, "A column's head, one for each URL")
        ->allow_extra_args(false);
    app->add_flag("--json", json_, "Answer in JSON, a line for each");
    AddDuration(app, "--timeout", &timeout_, "How long to try");
  }

  ExitCode Run() override {
    std::vector<Column> columns;
    for (size_t i = 0; i < urls_.size(); ++i) {
      Column column{i < names_.size() ? names_[i] : urls_[i], {}};
      const ExitCode code = AskBroker(urls_[i], &column.can);
      if (code != ExitCode::kOk) return code;
      columns.push_back(std::move(column));
    }
    const absl::Status written =
        Output().Write(json_ ? Json(columns) : Markdown(columns));
    if (written.ok()) return ExitCode::kOk;
    return Fail(ExitCode::kInputOutput, "output", MessageOf(written), "");
  }

 private:
  ExitCode AskBroker(const std::string& url, Capabilities* can) const {
    Config config;
    auto name = config.AddUrl(url);
    if (!name.ok()) return FailConfig(name.status());
    auto bus = OpenBus(std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    auto sender = (*bus)->OpenSender(*name);
    if (!sender.ok()) return FailStatus(sender.status(), *name);
    auto receiver = (*bus)->OpenReceiver(*name);
    if (!receiver.ok()) return FailStatus(receiver.status(), *name);
    absl::Status open = (*sender)->WaitOpen(timeout_);
    if (open.ok()) open = (*receiver)->WaitOpen(timeout_);
    if (!open.ok()) return FailStatus(open, *name, **bus);
    *can = (*sender)->capabilities();
    can->bits |= (*receiver)->capabilities().bits;
    return ExitCode::kOk;
  }

  static std::string Markdown(const std::vector<Column>& columns) {
    std::string out = "| |";
    std::string rule = "|---|";
    for (const Column& column : columns) {
      out += fmt::format(" {} |", column.head);
      rule += "---|";
    }
    out += "\n" + rule + "\n";
    for (const RowText& row : kRows) {
      out += fmt::format("| {} |", row.text);
      for (const Column& column : columns) {
        out += column.can.has(row.capability) ? " yes |" : " - |";
      }
      out += "\n";
    }
    out += "| proof that a queue is drained |";
    for (const Column& column : columns) {
      out += fmt::format(" {} |", NameOf(column.can.drain_proof));
    }
    return out + "\n";
  }

  static std::string Json(const std::vector<Column>& columns) {
    std::string out;
    for (const Column& column : columns) {
      nlohmann::ordered_json can = nlohmann::ordered_json::array();
      for (const RowText& row : kRows) {
        if (column.can.has(row.capability)) {
          can.push_back(CapabilityName(row.capability));
        }
      }
      const nlohmann::ordered_json line = {
          {"broker", column.head},
          {"capabilities", can},
          {"drain_proof", NameOf(column.can.drain_proof)}};
      out += line.dump() + "\n";
    }
    return out;
  }

  std::vector<std::string> urls_;
  std::vector<std::string> names_;
  bool json_ = false;
  absl::Duration timeout_ = absl::Seconds(10);
};

}  // namespace

std::unique_ptr<Command> MakeCapabilities(CLI::App* app) {
  return std::make_unique<CapabilitiesCommand>(app);
}

}  // namespace tieline::tools
