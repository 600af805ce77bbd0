#include "tools/demo_report.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "lib/base/status.h"
#include "lib/control/move_json.h"
#include "lib/control/reply.h"
#include "tools/terminal.h"

namespace tieline::tools {
namespace {

using control::Json;

std::string_view GoesOnWhen(std::string_view stage) {
  if (stage == "preparing") return "until the new broker was found fit";
  if (stage == "switching") return "until nothing was on its way to the old";
  if (stage == "draining") return "until the old one was proved to be empty";
  if (stage == "retiring") return "in which late messages would be found";
  return "";
}

std::string MoveText(const MoveReport& move) {
  std::string text = fmt::format("The move of {} from {} to {}:\n", move.queue,
                                 move.from, move.to);
  for (const MoveReport::Stage& stage : move.stages) {
    text += fmt::format("  {:<10} {:>7}  {}\n", stage.name, Short(stage.took),
                        GoesOnWhen(stage.name));
  }
  text += fmt::format(
      "  longest pause of the senders {}\n"
      "  in flight {}, in doubt {}, held {}, drained {}, late {}, suppressed "
      "{}\n",
      Short(move.longest_pause), Grouped(move.in_flight),
      Grouped(move.in_doubt), Grouped(move.held), Grouped(move.drained),
      Grouped(move.late), Grouped(move.suppressed));
  if (move.left > 0) {
    text += fmt::format("  left at {}: {}\n", move.from,
                        Grouped(static_cast<uint64_t>(move.left)));
  }
  if (!move.proof.empty()) {
    text +=
        fmt::format("  proof that {} was empty: {}\n", move.from, move.proof);
  }
  if (!move.status.ok()) {
    text +=
        fmt::format("  {}: {}\n", move.state, tieline::MessageOf(move.status));
  }
  return text;
}

Json LedgerJson(const Ledger::Counts& ledger) {
  return {{"sent", ledger.sent},
          {"accepted", ledger.accepted},
          {"failed", ledger.failed},
          {"unanswered", ledger.unanswered()},
          {"handled", ledger.handled},
          {"lost", ledger.lost},
          {"duplicates", ledger.duplicates},
          {"order_violations", ledger.order_violations},
          {"altered", ledger.altered}};
}

Json PartJson(const DemoPart& part) {
  const Histogram& waits = part.waits.histogram;
  return {{"part", part.name},
          {"seconds", absl::ToDoubleSeconds(part.length)},
          {"accepted", part.accepted},
          {"wait_p50_us", absl::ToInt64Microseconds(waits.Quantile(0.5))},
          {"wait_p99_us", absl::ToInt64Microseconds(waits.Quantile(0.99))},
          {"wait_longest_us", absl::ToInt64Microseconds(part.waits.longest)}};
}

}  // namespace

std::string DemoResult::Fault() const {
  std::string text =
      fmt::format("{} lost, {} duplicates, {} order violations", ledger.lost,
                  ledger.duplicates, ledger.order_violations);
  for (const auto& [count, what] :
       {std::pair{ledger.altered, "altered"},
        {ledger.failed, "not sent"},
        {ledger.unanswered(), "without an answer"}}) {
    if (count > 0) text += fmt::format(", {} {}", count, what);
  }
  if (!move.has_value()) return text + "; the queue was not moved";
  if (!move->over) text += "; the move is " + move->state;
  return text;
}

std::string ToText(const DemoResult& result) {
  std::string text = "\nWhat the chargers saw:\n";
  LiveTable table({"", "time", "messages", "p50", "p99", "longest wait"});
  std::vector<std::vector<std::string>> rows;
  for (const DemoPart& part : result.parts) {
    rows.push_back({"  " + part.name, Short(part.length),
                    Grouped(part.accepted),
                    Short(part.waits.histogram.Quantile(0.5)),
                    Short(part.waits.histogram.Quantile(0.99)),
                    Short(part.waits.longest)});
  }
  text += table.Render(rows);
  if (result.move.has_value()) text += "\n" + MoveText(*result.move);
  const Ledger::Counts& ledger = result.ledger;
  text += fmt::format(
      "\nCounted by the demo's own ledger:\n"
      "  sent {}, accepted {}, handled {}; left at the brokers {}\n"
      "  (sent again, since an answer was lost: {})\n"
      "  lost {}, duplicates {}, order violations {}\n",
      Grouped(ledger.sent), Grouped(ledger.accepted), Grouped(ledger.handled),
      Grouped(result.left), Grouped(result.resent), Grouped(ledger.lost),
      Grouped(ledger.duplicates), Grouped(ledger.order_violations));
  return text;
}

std::string ToJsonLine(const DemoResult& result) {
  Json parts = Json::array();
  for (const DemoPart& part : result.parts) parts.push_back(PartJson(part));
  return control::ToLine(
             {{"ok", result.ok()},
              {"chargers", result.chargers},
              {"seconds", absl::ToDoubleSeconds(result.length)},
              {"parts", parts},
              {"move", result.move.has_value() ? control::ToJson(*result.move)
                                               : Json(nullptr)},
              {"ledger", LedgerJson(result.ledger)},
              {"resent", result.resent},
              {"left", result.left}}) +
         "\n";
}

}  // namespace tieline::tools
