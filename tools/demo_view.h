// What `tieline demo` shows while it plays: a table of figures that is redrawn
// in place on a terminal, elsewhere a line now and then, and news between.
#ifndef TIELINE_TOOLS_DEMO_VIEW_H_
#define TIELINE_TOOLS_DEMO_VIEW_H_

#include <cstdint>
#include <deque>
#include <string>

#include "absl/time/time.h"
#include "tools/ledger.h"
#include "tools/terminal.h"

namespace tieline::tools {

class DemoView {
 public:
  // What the table says beside the ledger's figures.
  struct Scene {
    std::string health;  // of the primary broker
    std::string place;   // where the queue is
    size_t on_primary = 0;
    size_t on_fresh = 0;
    std::string move;  // its state
  };

  // Quiet: shows nothing at all.
  explicit DemoView(bool quiet);
  void News(absl::Duration at, const std::string& text);
  // What was counted up to now, and waited since the last call.
  void Add(absl::Duration at, const Ledger::Counts& counts,
           const Ledger::Waits& waits);
  void Show(absl::Duration at, const Scene& scene);
  // Once more, however short ago the last time is.
  void ShowNow(absl::Duration at, const Scene& scene);

 private:
  struct Sample {
    absl::Duration at;
    uint64_t sent = 0;
    uint64_t handled = 0;
    Histogram waits;
  };

  const bool quiet_;
  const absl::Duration every_;
  absl::Duration next_ = absl::ZeroDuration();
  Ledger::Counts counts_;
  std::deque<Sample> samples_;  // of the last second
  LiveTable table_;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_DEMO_VIEW_H_
