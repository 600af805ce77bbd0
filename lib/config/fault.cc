#include "lib/config/fault.h"

#include <fmt/format.h>

#include <algorithm>

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr size_t kMaxListed = 100;
constexpr size_t kMaxWord = 64;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Edits (insert, remove, replace, swap neighbours) from `a` to `b`, letters'
// case aside.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1,
                                     std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
          Lower(a[i - 2]) == Lower(b[j - 1])) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

absl::Status Faults::ToStatus(std::string_view name) const {
  if (list_.empty()) return absl::OkStatus();
  std::vector<Fault> sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Fault& a, const Fault& b) {
                     return a.at.line != b.at.line ? a.at.line < b.at.line
                                                   : a.at.column < b.at.column;
                   });
  std::string text;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i == kMaxListed) {
      text += fmt::format("\n{}: {} more", name, sorted.size() - i);
      break;
    }
    const Fault& fault = sorted[i];
    if (i > 0) text += '\n';
    text += name;
    text += ':';
    if (fault.at.line > 0) {
      text += fmt::format("{}:{}:", fault.at.line, fault.at.column);
    }
    text += ' ';
    if (!fault.path.empty()) text += fault.path + ": ";
    text += fault.text;
  }
  return absl::InvalidArgumentError(text);
}

std::string_view NearMiss(std::string_view word,
                          const std::vector<std::string_view>& candidates) {
  std::string_view best;
  if (word.empty() || word.size() > kMaxWord) return best;
  size_t least = word.size() <= 4 ? 2 : word.size() <= 8 ? 3 : 4;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kMaxWord) continue;
    const size_t distance = EditDistance(word, candidate);
    if (distance < least && distance < candidate.size()) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string Suggestion(std::string_view word,
                       const std::vector<std::string_view>& candidates) {
  const std::string_view near = NearMiss(word, candidates);
  if (!near.empty()) return fmt::format("; did you mean \"{}\"?", near);
  if (candidates.empty()) return "";
  constexpr size_t kMaxNamed = 24;
  std::string list;
  for (size_t i = 0; i < candidates.size() && i < kMaxNamed; ++i) {
    if (i > 0) list += ", ";
    list += candidates[i];
  }
  if (candidates.size() > kMaxNamed) list += ", ...";
  return fmt::format("; expected {}{}", candidates.size() > 1 ? "one of " : "",
                     list);
}

std::string JoinPath(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  if (b.empty()) return std::string(a);
  return fmt::format("{}.{}", a, b);
}

}  // namespace config
}  // namespace tieline::inline v0
