// How a move is shown: a line that is written over on a terminal, a line for
// each new state elsewhere, or JSON lines.
#ifndef TIELINE_TOOLS_MOVE_PROGRESS_H_
#define TIELINE_TOOLS_MOVE_PROGRESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "tieline/move.h"
#include "tools/process.h"

namespace tieline::tools {

class MoveProgress {
 public:
  explicit MoveProgress(bool json);
  ~MoveProgress() { EndLine(); }

  void ShowPlan(const std::vector<PlannedMove>& moves);
  // Called again and again; shows what is new.
  void Show(const MoveReport& report, absl::Time now);
  // The states with their times, and what the move cost.
  void ShowEnd(const MoveReport& report);
  // Something else that is worth a line.
  void Say(std::string_view event, const std::string& text);

 private:
  void EndLine();
  void PutJson(std::string_view event, const Process::Json& members);

  const bool json_;
  const bool terminal_;
  bool in_line_ = false;
  std::string last_;  // state and trouble that were shown
  absl::Time next_;   // when a line of figures is due
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_MOVE_PROGRESS_H_
