// The tieline command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

#include "lib/config/fault.h"
#include "tools/command.h"
#include "tools/completion.h"
#include "tools/failure.h"
#include "tools/options.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

std::string Footer() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeText& code : kExitCodes) {
    text +=
        fmt::format("  {:<4} {}\n", static_cast<int>(code.code), code.meaning);
  }
  text +=
      "\nURLs: SCHEME://HOST:PORT/ENTITY?NAME=VALUE; the names are in `tieline "
      "config reference`.\n`tieline capabilities URL` says what a broker can "
      "do.";
  return text;
}

struct Commands {
  CLI::App app{
      "Sends, receives and relays messages between brokers: Kafka, AMQP 1.0 "
      "and memory.",
      "tieline"};
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> list;
  CLI::App* completion = nullptr;
  std::string shell;

  Commands() {
    app.require_subcommand(1);
    app.set_version_flag("--version", "tieline " TIELINE_VERSION);
    app.footer(Footer());
    Add("send", "Send messages to a queue", MakeSend);
    Add("receive", "Receive messages from a queue", MakeReceive);
    Add("relay", "Relay from queue to queue, losing nothing", MakeRelay);
    Add("move", "Move a queue to another broker while it is in use", MakeMove);
    Add("queues", "List queues, count and look at their messages", MakeQueues);
    Add("dlq", "Look at dead letters, send them again or elsewhere", MakeDlq);
    Add("config", "Check, show and document the configuration", MakeConfig);
    Add("doctor", "Find out why a broker can't be used", MakeDoctor);
    Add("bench", "Measure how fast a queue takes and gives messages",
        MakeBench);
    Add("journal", "Print what was decided, when and why", MakeJournal);
    Add("store", "Check or repair a state file", MakeStore);
    Add("capabilities", "Say what the broker of a queue can do",
        MakeCapabilities);
    Add("demo", "Watch a queue leave its sick broker, without any broker",
        MakeDemo);
    completion = app.add_subcommand("completion", "Print shell completion");
    completion->add_option("SHELL", shell, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    completion->footer("source <(tieline completion bash)");
  }

  std::vector<std::string_view> Names() const {
    std::vector<std::string_view> names = {"completion"};
    for (const auto& [sub, unused] : list) names.push_back(sub->get_name());
    return names;
  }
  bool Has(std::string_view name) const {
    const auto names = Names();
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void Add(const char* name, const char* description,
           std::unique_ptr<Command> (*make)(CLI::App*)) {
    CLI::App* sub = app.add_subcommand(name, description);
    list.emplace_back(sub, make(sub));
  }
};

ExitCode RunParsed(Commands* commands) {
  if (commands->completion->parsed()) {
    const std::string script = commands->shell == "bash"
                                   ? BashCompletion(commands->app)
                                   : ZshCompletion(commands->app);
    fmt::print("{}", script);
    return ExitCode::kOk;
  }
  for (auto& [sub, command] : commands->list) {
    if (sub->parsed()) return command->Run();
  }
  return ExitCode::kUsage;
}

ExitCode Main(int argc, char** argv) {
  Commands commands;
  if (argc > 1 && argv[1][0] != '-' && !commands.Has(argv[1])) {
    return Fail(ExitCode::kUsage, "usage",
                fmt::format("unknown command \"{}\"{}", argv[1],
                            config::Suggestion(argv[1], commands.Names())),
                "see tieline --help");
  }
  try {
    commands.app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    commands.app.exit(done);
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    return Fail(ExitCode::kUsage, "usage", error.what(), "see tieline --help");
  }
  WatchSignals();
  RegisterBackends();
  return RunParsed(&commands);
}

}  // namespace
}  // namespace tieline::tools

int main(int argc, char** argv) {
  // Nothing of Tieline throws; what the standard library may (no memory left)
  // still ends in one line.
  try {
    return static_cast<int>(tieline::tools::Main(argc, argv));
  } catch (const std::exception& error) {
    return static_cast<int>(tieline::tools::Fail(
        tieline::tools::ExitCode::kFailed, "failed", error.what(), ""));
  }
}
