// Options that several subcommands share.
#ifndef TIELINE_TOOLS_OPTIONS_H_
#define TIELINE_TOOLS_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/bus.h"

namespace tieline::tools {

// A queue by URL, or by its name in a config file.
struct QueueOption {
  std::string queue;        // URL or name
  std::string config_file;  // empty: URL

  void Add(CLI::App* app);
  // The config with the queue in it; `*name` becomes the queue's name there.
  absl::StatusOr<Config> Load(std::string* name) const;
};

// Adds a duration option ("250ms", "10s"; "0" is zero).
CLI::Option* AddDuration(CLI::App* app, const std::string& name,
                         absl::Duration* into, const std::string& help);

// Backends that this build has; then opens the bus. Warnings of the bus go to
// standard error, with `verbose` everything.
absl::StatusOr<std::unique_ptr<Bus>> OpenBus(Config config, bool verbose);

// Registers the backends that this build has.
void RegisterBackends();

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_OPTIONS_H_
