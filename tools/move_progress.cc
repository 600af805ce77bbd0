#include "tools/move_progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "lib/base/status.h"
#include "lib/control/move_json.h"
#include "lib/control/reply.h"
#include "tools/output.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

using Json = Process::Json;

constexpr absl::Duration kEvery = absl::Seconds(1);

void Put(const std::string& text) { Output().Write(text).IgnoreError(); }

std::string Figures(const MoveReport& report) {
  std::string text =
      fmt::format("in doubt {}, drained {}, late {}", Grouped(report.in_doubt),
                  Grouped(report.drained), Grouped(report.late));
  if (report.replayed > 0) {
    text += fmt::format(", replayed {}", Grouped(report.replayed));
  }
  return text;
}

std::string TookOf(const MoveReport& report) {
  const bool any = !report.stages.empty();
  return any ? fmt::format(" {}", Short(report.stages.back().took)) : "";
}

}  // namespace

MoveProgress::MoveProgress(bool json)
    : json_(json), terminal_(!json && IsTerminal()) {}

void MoveProgress::ShowPlan(const std::vector<PlannedMove>& moves) {
  if (json_) {
    Json list = Json::array();
    for (const PlannedMove& move : moves) {
      list.push_back(control::ToJson(move));
    }
    return PutJson("plan", {{"moves", list}});
  }
  for (const PlannedMove& move : moves) {
    Put(fmt::format("{}: {} (generation {}) -> {} (generation {})\n",
                    move.queue, move.from, move.from_generation, move.to,
                    move.to_generation));
    for (const std::string& note : move.notes) {
      Put(fmt::format("  note: {}\n", note));
    }
  }
}

void MoveProgress::Show(const MoveReport& report, absl::Time now) {
  const std::string state =
      report.status.ok()
          ? report.state
          : fmt::format("{}: {}", report.state, MessageOf(report.status));
  const bool is_new = state != last_;
  last_ = state;
  if (terminal_) {
    Put(fmt::format("\r\x1b[2K{}: {}{}: {}", report.queue, state,
                    TookOf(report), Figures(report)));
    in_line_ = true;
  } else if (json_) {
    if (!is_new && now < next_) return;
    next_ = now + kEvery;
    PutJson("state", {{"report", control::ToJson(report)}});
  } else if (is_new) {
    Put(fmt::format("{}: {}\n", report.queue, state));
  }
}

void MoveProgress::ShowEnd(const MoveReport& report) {
  if (json_) return PutJson("end", {{"report", control::ToJson(report)}});
  EndLine();
  std::string text =
      fmt::format("{}: {} -> {}:", report.queue, report.from, report.to);
  for (const MoveReport::Stage& stage : report.stages) {
    text += fmt::format(" {} {},", stage.name, Short(stage.took));
  }
  text += fmt::format(" longest pause {}, {}", Short(report.longest_pause),
                      Figures(report));
  if (!report.proof.empty()) {
    text += fmt::format("; {} is empty: {}", report.from, report.proof);
  }
  Put(text + "\n");
}

void MoveProgress::Say(std::string_view event, const std::string& text) {
  if (json_) return PutJson(event, {{"text", text}});
  EndLine();
  Put(text + "\n");
}

void MoveProgress::EndLine() {
  if (in_line_) Put("\n");
  in_line_ = false;
}

void MoveProgress::PutJson(std::string_view event, const Json& members) {
  Json line = {{"event", event}};
  line.update(members);
  Put(control::ToLine(line) + "\n");
}

}  // namespace tieline::tools
