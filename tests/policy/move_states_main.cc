// Prints docs/move-states.svg.
#include <cstdio>
#include <string>

#include "tests/policy/move_states_svg.h"

int main() {
  const std::string text = tieline::DrawMoveStates();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0
                                                                         : 1;
}
