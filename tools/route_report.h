// What `tieline relay` and `tieline demo` say about their routes: a live table
// for people, lines of JSON for programs.
#ifndef TIELINE_TOOLS_ROUTE_REPORT_H_
#define TIELINE_TOOLS_ROUTE_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tieline/metrics.h"
#include "tools/terminal.h"

namespace tieline::tools {

class RouteReport {
 public:
  enum class Form { kTable, kJson, kQuiet };

  explicit RouteReport(Form form);
  // Reports `routes` as of `now`: rates and quantiles since the last report.
  void Show(const std::vector<RouteMetrics>& routes, absl::Time now);
  // The totals, once at the end.
  void ShowTotals(const std::vector<RouteMetrics>& routes, absl::Time now);

 private:
  struct Before {
    RouteMetrics metrics;
    absl::Time at;
  };

  Form form_;
  LiveTable table_;
  absl::Time begin_;
  std::map<std::string, Before> before_;
};

// What was added to the counts of `then` to make `now`.
Histogram Since(const Histogram& now, const Histogram& then);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_ROUTE_REPORT_H_
