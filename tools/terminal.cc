#include "tools/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tieline::tools {
namespace {

void Put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

bool IsTerminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && term != nullptr &&
         std::strcmp(term, "dumb") != 0;
}

std::string Grouped(uint64_t number) {
  std::string out = fmt::format("{}", number);
  for (size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, ",");
  return out;
}

std::string Short(absl::Duration duration) {
  const double us = absl::ToDoubleMicroseconds(duration);
  if (us <= 0) return "-";
  if (us < 1000) return fmt::format("{:.0f}us", us);
  if (us < 1e6) return fmt::format("{:.1f}ms", us / 1e3);
  return fmt::format("{:.1f}s", us / 1e6);
}

LiveTable::LiveTable(std::vector<std::string> heads)
    : heads_(std::move(heads)), widths_(heads_.size()) {}

std::string LiveTable::Render(
    const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {heads_};
  lines.insert(lines.end(), rows.begin(), rows.end());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size() && i < widths_.size(); ++i) {
      widths_[i] = std::max(widths_[i], line[i].size());
    }
  }
  std::string out;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size() && i < widths_.size(); ++i) {
      out += i == 0 ? fmt::format("{:<{}}", line[i], widths_[i])
                    : fmt::format("  {:>{}}", line[i], widths_[i]);
    }
    out += '\n';
  }
  return out;
}

void LiveTable::Draw(const std::vector<std::vector<std::string>>& rows) {
  std::string out;
  if (IsTerminal()) {
    // Up to the table's first line; each line is cleared before it is written.
    if (drawn_lines_ > 0) out += fmt::format("\x1b[{}A", drawn_lines_);
    std::string table = Render(rows);
    for (size_t at = 0; at < table.size();) {
      const size_t end = table.find('\n', at);
      out += "\x1b[2K" + table.substr(at, end + 1 - at);
      at = end + 1;
    }
  } else {
    // One below the other: the heads only once.
    out = Render(rows);
    if (drawn_lines_ > 0) out.erase(0, out.find('\n') + 1);
  }
  drawn_lines_ = rows.size() + 1;
  Put(out);
}

void LiveTable::Say(const std::string& line) {
  std::string out;
  if (IsTerminal() && drawn_lines_ > 0) {
    // The table is drawn anew below the line.
    out = fmt::format("\x1b[{}A\x1b[J", std::exchange(drawn_lines_, 0));
  }
  Put(out + line + "\n");
}

}  // namespace tieline::tools
