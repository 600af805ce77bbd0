// tieline config: looks at a configuration without connecting.
#include <fmt/format.h>

#include "lib/base/status.h"
#include "tools/command.h"
#include "tools/failure.h"
#include "tools/output.h"

namespace tieline::tools {
namespace {

class ConfigCommand : public Command {
 public:
  explicit ConfigCommand(CLI::App* app) {
    app->require_subcommand(1);
    check_ = app->add_subcommand(
        "check", "Say everything that is wrong with a file, with its place");
    check_->add_option("FILE", file_, "Configuration file (YAML)")->required();
    show_ = app->add_subcommand(
        "show", "Print what a file or URL means, secrets as ***");
    show_->add_option("FILE", file_, "Configuration file (YAML), or a URL")
        ->required();
    schema_ = app->add_subcommand(
        "schema", "Print the JSON Schema of the file, for editors");
    reference_ = app->add_subcommand(
        "reference", "Print the reference of every field (Markdown)");
  }

  ExitCode Run() override {
    if (schema_->parsed()) return Put(Config::JsonSchema());
    if (reference_->parsed()) return Put(Config::ReferenceMarkdown());
    auto config = Load();
    if (!config.ok()) {
      if (config.status().code() == absl::StatusCode::kNotFound) {
        return Fail(ExitCode::kConfig, "config", MessageOf(config.status()),
                    "check the path");
      }
      return FailConfig(config.status());
    }
    if (show_->parsed()) return Put(config->ToYaml());
    return Put(fmt::format("{}: fine: {} brokers, {} queues, {} routes\n",
                           file_, config->brokers.size(), config->queues.size(),
                           config->routes.size()));
  }

 private:
  absl::StatusOr<Config> Load() const {
    if (file_.find("://") == std::string::npos) return Config::FromFile(file_);
    Config config;
    TIELINE_ASSIGN_OR_RETURN(const std::string name, config.AddUrl(file_));
    return config;
  }

  static ExitCode Put(const std::string& text) {
    const absl::Status written = Output().Write(text);
    if (written.ok()) return ExitCode::kOk;
    return Fail(ExitCode::kInputOutput, "output", MessageOf(written), "");
  }

  CLI::App* check_;
  CLI::App* show_;
  CLI::App* schema_;
  CLI::App* reference_;
  std::string file_;
};

}  // namespace

std::unique_ptr<Command> MakeConfig(CLI::App* app) {
  app->footer("Exit code 3 when something is wrong; nothing is connected to.");
  return std::make_unique<ConfigCommand>(app);
}

}  // namespace tieline::tools
