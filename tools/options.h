// Options that several subcommands share.
#ifndef TIELINE_TOOLS_OPTIONS_H_
#define TIELINE_TOOLS_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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

// The bus's log on its way to standard error. Warnings wait until Flush, so
// that a command that fails for the same reason says it once; one that repeats
// itself comes every 10 s. Threads: any.
class TroubleLog {
 public:
  void Put(std::string_view text);
  // Prints what has gathered.
  void Flush();

 private:
  bool IsRepeated(std::string_view text);

  std::mutex mu_;
  std::vector<std::string> waiting_;  // 100 at most
  std::map<std::string, absl::Time> said_;
};

// Whether the bus opens the config's state file, which one process at a time
// can do.
enum class StateFile : uint8_t { kLeave, kOpen };

// Opens the bus. With `verbose` all of its log goes to standard error at once,
// else warnings go to `trouble`, if there is one.
absl::StatusOr<std::unique_ptr<Bus>> OpenBus(
    Config config, bool verbose,
    const std::shared_ptr<TroubleLog>& trouble = nullptr,
    StateFile state_file = StateFile::kLeave);

// Registers the backends that this build has.
void RegisterBackends();

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_OPTIONS_H_
