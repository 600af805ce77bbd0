#include "tests/policy/move_states_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "lib/policy/move_states.h"
#include "tests/policy/move_changes.h"

namespace tieline {
namespace {

constexpr double kHalfWidth = 58;
constexpr double kHalfHeight = 20;
constexpr double kApart = 8;  // of two arrows between the same states
constexpr int kWidth = 860;
constexpr int kTextTop = 500;
constexpr int kLine = 20;

struct Point {
  double x = 0;
  double y = 0;
};

// Around an ellipse, so that no arrow passes through a box.
Point PlaceOf(MoveState state) {
  switch (state) {
    case MoveState::kJoining:
      return {110, 150};
    case MoveState::kActive:
      return {430, 50};
    case MoveState::kPreparing:
      return {750, 150};
    case MoveState::kSwitching:
      return {750, 350};
    case MoveState::kDraining:
      return {430, 450};
    case MoveState::kRetiring:
      return {110, 350};
  }
  return {};
}

struct Arrow {
  MoveState from;
  MoveState to;
  std::vector<const MoveTransition*> rows;
};

// One for each pair of states, in the order of the table.
std::vector<Arrow> Arrows() {
  std::vector<Arrow> arrows;
  for (const MoveTransition& row : kMoveTransitions) {
    auto it = std::find_if(arrows.begin(), arrows.end(), [&](const Arrow& a) {
      return a.from == row.from && a.to == row.to;
    });
    if (it == arrows.end()) {
      arrows.push_back({row.from, row.to, {}});
      it = std::prev(arrows.end());
    }
    it->rows.push_back(&row);
  }
  return arrows;
}

// How far from the middle of a box its edge is, in this direction.
double ToEdge(const Point& unit) {
  const double by_x = unit.x == 0 ? 1e9 : kHalfWidth / std::abs(unit.x);
  const double by_y = unit.y == 0 ? 1e9 : kHalfHeight / std::abs(unit.y);
  return std::min(by_x, by_y);
}

std::string Draw(const Arrow& arrow, size_t number, bool has_opposite) {
  Point a = PlaceOf(arrow.from);
  Point b = PlaceOf(arrow.to);
  const double length = std::hypot(b.x - a.x, b.y - a.y);
  const Point unit = {(b.x - a.x) / length, (b.y - a.y) / length};
  const double aside = has_opposite ? kApart : 0;
  const double edge = ToEdge(unit);
  const Point shift = {-unit.y * aside, unit.x * aside};
  a = {a.x + unit.x * edge + shift.x, a.y + unit.y * edge + shift.y};
  b = {b.x - unit.x * (edge + 2) + shift.x,
       b.y - unit.y * (edge + 2) + shift.y};
  const Point label = {a.x + (b.x - a.x) * 0.2, a.y + (b.y - a.y) * 0.2};
  return fmt::format(
      "<path class=\"arrow\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n"
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"9\"/>\n"
      "<text class=\"number\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
      a.x, a.y, b.x, b.y, label.x, label.y, label.x, label.y + 4, number);
}

std::string DrawBox(MoveState state) {
  const Point at = PlaceOf(state);
  return fmt::format(
      "<rect class=\"state\" x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" "
      "height=\"{:.0f}\" rx=\"6\"/>\n"
      "<text class=\"state\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n",
      at.x - kHalfWidth, at.y - kHalfHeight, 2 * kHalfWidth, 2 * kHalfHeight,
      at.x, at.y + 5, MoveStateName(state));
}

constexpr std::string_view kStyle =
    "<style>text{font:13px sans-serif;fill:#222}"
    "text.state{font-weight:bold;text-anchor:middle}"
    "text.number{font-size:11px;text-anchor:middle}"
    "rect.state{fill:#e8f0fa;stroke:#36597f;stroke-width:1.5}"
    ".arrow{fill:none;stroke:#555;stroke-width:1.3;marker-end:url(#head)}"
    "circle{fill:#fff;stroke:#888}</style>\n"
    "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
    "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
    "<path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n";

}  // namespace

std::string DrawMoveStates() {
  const std::vector<Arrow> arrows = Arrows();
  std::string shapes;
  std::string text;
  int y = kTextTop;
  for (size_t i = 0; i < arrows.size(); ++i) {
    const Arrow& arrow = arrows[i];
    const bool has_opposite =
        std::any_of(arrows.begin(), arrows.end(), [&](const Arrow& other) {
          return other.from == arrow.to && other.to == arrow.from;
        });
    shapes += Draw(arrow, i + 1, has_opposite);
    for (const MoveTransition* row : arrow.rows) {
      y += kLine;
      text +=
          fmt::format("<text x=\"20\" y=\"{}\">{}. {} to {}: {}: {}</text>\n",
                      y, i + 1, MoveStateName(row->from),
                      MoveStateName(row->to), CauseName(row->cause), row->text);
    }
  }
  for (const MoveState state :
       {MoveState::kJoining, MoveState::kActive, MoveState::kPreparing,
        MoveState::kSwitching, MoveState::kDraining, MoveState::kRetiring}) {
    shapes += DrawBox(state);
  }
  const int height = y + kLine;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\">\n"
      "<title>The states of a queue's move, and what leads from one to "
      "another</title>\n"
      "{2}<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n{3}{4}</svg>\n",
      kWidth, height, kStyle, shapes, text);
}

}  // namespace tieline
