#include "tools/options.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <mutex>

#include "absl/time/clock.h"
#include "lib/base/status.h"
#if TIELINE_HAS_MEMORY
#include "tieline/memory.h"
#endif
#if TIELINE_HAS_KAFKA
#include "tieline/kafka.h"
#endif
#if TIELINE_HAS_AMQP
#include "tieline/amqp.h"
#endif

namespace tieline::tools {
namespace {

constexpr absl::Duration kRepeatAfter = absl::Seconds(10);

constexpr size_t kMaxWaiting = 100;

void PrintLine(std::string_view text) {
  const std::string line = fmt::format("tieline: {}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void QueueOption::Add(CLI::App* app) {
  app->add_option("QUEUE", queue,
                  "URL (amqp://localhost:5672/orders), or with --config the "
                  "name of a queue there")
      ->required();
  app->add_option("-c,--config", config_file, "Configuration file (YAML)");
}

absl::StatusOr<Config> QueueOption::Load(std::string* name) const {
  Config config;
  if (!config_file.empty()) {
    TIELINE_ASSIGN_OR_RETURN(config, Config::FromFile(config_file));
  }
  if (queue.find("://") != std::string::npos) {
    TIELINE_ASSIGN_OR_RETURN(*name, config.AddUrl(queue));
    return config;
  }
  if (config_file.empty()) {
    return InvalidArgument(
        "\"{}\" is not a URL; give SCHEME://HOST:PORT/ENTITY, or the file that "
        "has this queue with --config",
        queue);
  }
  if (config.queues.count(queue) == 0) {
    return InvalidArgument("{}: there is no queue \"{}\"", config_file, queue);
  }
  *name = queue;
  return config;
}

CLI::Option* AddDuration(CLI::App* app, const std::string& name,
                         absl::Duration* into, const std::string& help) {
  const absl::Duration given = *into;
  CLI::Option* option = app->add_option_function<std::string>(
      name,
      [into, name](const std::string& text) {
        absl::Duration duration;
        if (!absl::ParseDuration(text, &duration) ||
            duration < absl::ZeroDuration()) {
          throw CLI::ValidationError(
              name, "expected a duration such as 250ms or 10s, found \"" +
                        text + "\"");
        }
        *into = duration;
      },
      help);
  option->type_name("DURATION");
  if (given != absl::InfiniteDuration()) {
    option->default_str(absl::FormatDuration(given));
  }
  return option;
}

void TroubleLog::Put(std::string_view text) {
  std::lock_guard lock(mu_);
  if (waiting_.size() < kMaxWaiting && !IsRepeated(text)) {
    waiting_.emplace_back(text);
  }
}

void TroubleLog::Flush() {
  std::lock_guard lock(mu_);
  for (const std::string& text : waiting_) PrintLine(text);
  waiting_.clear();
}

// Said a short time ago, the wait before the next try aside.
bool TroubleLog::IsRepeated(std::string_view text) {
  const std::string key(text.substr(0, text.find("; next try")));
  const absl::Time now = absl::Now();
  std::erase_if(
      said_, [&](const auto& one) { return now - one.second > kRepeatAfter; });
  return !said_.emplace(key, now).second;
}

absl::StatusOr<std::unique_ptr<Bus>> OpenBus(
    Config config, bool verbose, const std::shared_ptr<TroubleLog>& trouble,
    StateFile state_file) {
  BusOptions options;
  options.keeps_state = state_file == StateFile::kOpen;
  if (verbose) {
    options.log = [](LogLevel, std::string_view text) { PrintLine(text); };
  } else if (trouble != nullptr) {
    options.log = [trouble](LogLevel level, std::string_view text) {
      if (level >= LogLevel::kWarning) trouble->Put(text);
    };
  }
  return Bus::Open(std::move(config), std::move(options));
}

void RegisterBackends() {
#if TIELINE_HAS_MEMORY
  memory::Register();
#endif
#if TIELINE_HAS_KAFKA
  kafka::Register();
#endif
#if TIELINE_HAS_AMQP
  amqp::Register();
#endif
}

}  // namespace tieline::tools
