// tieline queues: what a broker has.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/ndjson.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

ExitCode Put(const std::string& text) {
  const absl::Status written = Output().Write(text);
  if (written.ok()) return ExitCode::kOk;
  return Fail(ExitCode::kInputOutput, "output", MessageOf(written),
              "make room or give another output");
}

class List : public Command {
 public:
  explicit List(CLI::App* app) {
    app->add_option("BROKER", broker_,
                    "URL (amqp://localhost:5672), or with --config the name of "
                    "a broker there")
        ->required();
    app->add_option("-c,--config", config_file_, "Configuration file (YAML)");
    app->add_flag("--json", json_, "Answer in JSON, a line for each");
    AddDuration(app, "--timeout", &timeout_, "How long to try");
  }

  ExitCode Run() override {
    std::string name = broker_;
    auto config = Load(&name);
    if (!config.ok()) return FailConfig(config.status());
    auto bus = OpenBus(*std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    auto entities = (*bus)->ListEntities(name, timeout_);
    if (!entities.ok()) return FailStatus(entities.status(), name, **bus);
    std::sort(entities->begin(), entities->end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    if (json_) {
      std::string text;
      for (const driver::EntityInfo& e : *entities) {
        Json line = {{"name", e.name}, {"kind", e.kind}};
        if (e.depth >= 0) line["depth"] = e.depth;
        if (e.partitions > 0) line["partitions"] = e.partitions;
        text += Dump(line);
      }
      return Put(text);
    }
    std::vector<std::vector<std::string>> rows;
    for (const driver::EntityInfo& e : *entities) {
      rows.push_back(
          {e.name, e.kind,
           e.depth < 0 ? "-" : Grouped(static_cast<uint64_t>(e.depth)),
           e.partitions == 0 ? "-" : fmt::format("{}", e.partitions)});
    }
    return Put(LiveTable({"name", "kind", "depth", "partitions"}).Render(rows));
  }

 private:
  absl::StatusOr<Config> Load(std::string* name) const {
    Config config;
    if (!config_file_.empty()) {
      TIELINE_ASSIGN_OR_RETURN(config, Config::FromFile(config_file_));
      if (config.brokers.count(broker_) != 0) return config;
    }
    if (broker_.find("://") == std::string::npos) {
      return InvalidArgument(
          "there is no broker \"{}\"; give a URL, or "
          "--config with the file that has it",
          broker_);
    }
    TIELINE_ASSIGN_OR_RETURN(*name, config.AddBrokerUrl(broker_));
    return config;
  }

  std::string broker_;
  std::string config_file_;
  bool json_ = false;
  absl::Duration timeout_ = absl::Seconds(10);
};

class Depth : public Command {
 public:
  explicit Depth(CLI::App* app) {
    queue_.Add(app);
    app->add_flag("--json", json_, "Answer in JSON");
    AddDuration(app, "--timeout", &timeout_, "How long to try");
  }

  ExitCode Run() override {
    std::string name;
    auto config = queue_.Load(&name);
    if (!config.ok()) return FailConfig(config.status());
    auto bus = OpenBus(*std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    auto depth = (*bus)->Depth(name, timeout_);
    if (!depth.ok()) return FailStatus(depth.status(), name, **bus);
    const std::string text = json_ ? Dump({{"queue", name}, {"depth", *depth}})
                                   : fmt::format("{}\n", *depth);
    return Put(text);
  }

 private:
  QueueOption queue_;
  bool json_ = false;
  absl::Duration timeout_ = absl::Seconds(10);
};

class Peek : public Command {
 public:
  explicit Peek(CLI::App* app) {
    queue_.Add(app);
    app->add_option("--from", from_, "First sequence number or offset");
    app->add_option("-n,--count", count_, "Messages at most")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    AddDuration(app, "--timeout", &timeout_, "How long to try");
  }

  ExitCode Run() override {
    std::string name;
    auto config = queue_.Load(&name);
    if (!config.ok()) return FailConfig(config.status());
    auto bus = OpenBus(*std::move(config), false);
    if (!bus.ok()) return FailConfig(bus.status());
    auto messages = (*bus)->Peek(name, from_, count_, timeout_);
    if (!messages.ok()) return FailStatus(messages.status(), name, **bus);
    std::string text;
    for (const Message& message : *messages) text += ToJsonLine(message) + "\n";
    return Put(text);
  }

 private:
  QueueOption queue_;
  int64_t from_ = 0;
  uint32_t count_ = 10;
  absl::Duration timeout_ = absl::Seconds(10);
};

// Runs whichever of its subcommands was given.
class Queues : public Command {
 public:
  explicit Queues(CLI::App* app) {
    app->require_subcommand(1);
    list_ = app->add_subcommand("list", "Name the queues of a broker");
    list_command_ = std::make_unique<List>(list_);
    depth_ = app->add_subcommand("depth", "Count the messages in a queue");
    depth_command_ = std::make_unique<Depth>(depth_);
    peek_ = app->add_subcommand(
        "peek", "Print messages of a queue as JSON lines, taking nothing");
    peek_command_ = std::make_unique<Peek>(peek_);
  }

  ExitCode Run() override {
    if (list_->parsed()) return list_command_->Run();
    if (depth_->parsed()) return depth_command_->Run();
    return peek_command_->Run();
  }

 private:
  CLI::App* list_;
  CLI::App* depth_;
  CLI::App* peek_;
  std::unique_ptr<Command> list_command_;
  std::unique_ptr<Command> depth_command_;
  std::unique_ptr<Command> peek_command_;
};

}  // namespace

std::unique_ptr<Command> MakeQueues(CLI::App* app) {
  return std::make_unique<Queues>(app);
}

}  // namespace tieline::tools
