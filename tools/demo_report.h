// What `tieline demo` says in the end: for people, and for programs.
#ifndef TIELINE_TOOLS_DEMO_REPORT_H_
#define TIELINE_TOOLS_DEMO_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tieline/move.h"
#include "tools/ledger.h"

namespace tieline::tools {

// A part of the demo, as its senders saw it.
struct DemoPart {
  std::string name;  // what was the matter: "all is well"
  absl::Duration length;
  uint64_t accepted = 0;
  Ledger::Waits waits;
};

struct DemoResult {
  uint32_t chargers = 0;
  absl::Duration length;
  std::vector<DemoPart> parts;
  std::optional<MoveReport> move;  // nothing: it did not come to that
  Ledger::Counts ledger;
  // Sends that the sender made again, by its own count.
  uint64_t resent = 0;
  // Messages that are still at one of the brokers.
  uint64_t left = 0;

  // Nothing is amiss, and the queue has moved.
  bool ok() const {
    return ledger.all_is_well() && move.has_value() && move->over;
  }
  // What is amiss, in one line.
  std::string Fault() const;
};

std::string ToText(const DemoResult& result);
// One object, in one line.
std::string ToJsonLine(const DemoResult& result);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_DEMO_REPORT_H_
