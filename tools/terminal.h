// Output for people: figures, durations, and a table that is redrawn in place.
#ifndef TIELINE_TOOLS_TERMINAL_H_
#define TIELINE_TOOLS_TERMINAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace tieline::tools {

// Standard output is a terminal that understands cursor movement.
bool IsTerminal();

// "1,234,567".
std::string Grouped(uint64_t number);
// "850us", "2.3ms", "1.5s", "-" for zero: what a quantile reads best as.
std::string Short(absl::Duration duration);

// A table whose rows are drawn over the ones drawn before.
class LiveTable {
 public:
  explicit LiveTable(std::vector<std::string> heads);
  // First column to the left, the others to the right.
  std::string Render(const std::vector<std::vector<std::string>>& rows);
  // Draws to standard output: in place on a terminal, else appended.
  void Draw(const std::vector<std::vector<std::string>>& rows);
  // A line that stays, above the table.
  void Say(const std::string& line);

 private:
  std::vector<std::string> heads_;
  std::vector<size_t> widths_;  // only ever grow, so that columns stand still
  size_t drawn_lines_ = 0;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_TERMINAL_H_
