// One subcommand: made while the command line is described, run once it has
// been read.
#ifndef TIELINE_TOOLS_COMMAND_H_
#define TIELINE_TOOLS_COMMAND_H_

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/exit_code.h"

namespace tieline::tools {

class Command {
 public:
  virtual ~Command() = default;
  virtual ExitCode Run() = 0;
};

// Each adds its subcommand with options and help to `app`, whose name it has,
// and keeps references into itself.
std::unique_ptr<Command> MakeSend(CLI::App* app);
std::unique_ptr<Command> MakeReceive(CLI::App* app);
std::unique_ptr<Command> MakeRelay(CLI::App* app);
std::unique_ptr<Command> MakeQueues(CLI::App* app);
std::unique_ptr<Command> MakeConfig(CLI::App* app);
std::unique_ptr<Command> MakeDoctor(CLI::App* app);
std::unique_ptr<Command> MakeBench(CLI::App* app);
std::unique_ptr<Command> MakeCapabilities(CLI::App* app);
std::unique_ptr<Command> MakeMove(CLI::App* app);
std::unique_ptr<Command> MakeJournal(CLI::App* app);
std::unique_ptr<Command> MakeStore(CLI::App* app);
std::unique_ptr<Command> MakeDlq(CLI::App* app);
std::unique_ptr<Command> MakeDemo(CLI::App* app);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_COMMAND_H_
