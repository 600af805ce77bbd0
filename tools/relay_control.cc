#include "tools/relay_control.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "tools/failure.h"
#include "tools/stop.h"

namespace tieline::tools {
namespace {

void Say(const std::string& text) {
  const std::string line = fmt::format("tieline: reload: {}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

std::string ListOf(const std::vector<PlannedMove>& moves) {
  std::string text;
  for (const PlannedMove& move : moves) {
    text += fmt::format("{}{} from {} to {}", text.empty() ? "" : ", ",
                        move.queue, move.from, move.to);
  }
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RelayControl>> RelayControl::Open(
    Bus* bus, const std::string& config_file, bool watch) {
  // First: who sees the socket may send a SIGHUP.
  if (!config_file.empty()) WatchHangups();
  std::unique_ptr<RelayControl> control(
      new RelayControl(bus, config_file, watch));
  const std::string state_file = bus->config().state_file;
  if (!state_file.empty()) {
    RelayControl* self = control.get();
    TIELINE_ASSIGN_OR_RETURN(
        control->server_,
        ControlServer::Open(ControlPath(state_file),
                            [self](std::string_view request) {
                              return self->control_.Answer(request);
                            }));
  }
  return control;
}

RelayControl::RelayControl(Bus* bus, std::string config_file, bool watch)
    : config_file_(std::move(config_file)), target_(bus), control_(&target_) {
  if (watch && !config_file_.empty()) watch_.emplace(config_file_);
}

void RelayControl::Tick(absl::Time now) {
  const bool changed = watch_.has_value() && watch_->Changed(now);
  if (TakeHangup() || changed) Reload();
}

void RelayControl::Reload() {
  const auto config = Config::FromFile(config_file_);
  absl::Status status = config.status();
  std::vector<PlannedMove> moves;
  if (status.ok()) {
    const auto plan = target_.Plan(*config);
    status = plan.status();
    if (status.ok()) {
      // Also where nothing moves: `move` says how what is under way goes on.
      status = target_.Apply(*plan);
      moves = plan->moves;
      // Brokers that were taken out of `was`, or are in there again.
      std::erase_if(moves, [](const PlannedMove& move) {
        return move.from_generation == move.to_generation;
      });
    }
  }
  if (!status.ok()) {
    Fail(ExitCode::kConfig, "reload", MessageOf(status), "all stays as it was");
  } else if (moves.empty()) {
    Say(
        fmt::format("{}: no queue moves; changes outside of `move` take a "
                    "restart",
                    config_file_));
  } else {
    Say(fmt::format("{}: moving {}", config_file_, ListOf(moves)));
  }
}

}  // namespace tieline::tools
