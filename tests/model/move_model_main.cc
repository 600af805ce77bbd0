// move_model (short | full | NAME...): goes through all states of these
// configurations of a move. One line of JSON for each; exit code 1 if one has a
// violation, with the shortest trace to it on standard error, or is not
// complete.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/model/scenarios.h"
#include "tests/model/search.h"

namespace tieline::model {
namespace {

// About 12 GB.
constexpr uint64_t kMostStates = 300'000'000;

bool Check(const Scenario& scenario) {
  MoveModel model(scenario);
  const auto start = std::chrono::steady_clock::now();
  const SearchResult result = Search(model, kMostStates);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  std::printf(
      "{\"name\": \"%s\", \"states\": %llu, \"transitions\": %llu, "
      "\"ends\": %llu, \"depth\": %u, \"local\": %zu, \"mib\": %llu, "
      "\"seconds\": %.1f, \"complete\": %s, \"violation\": \"%s\"}\n",
      scenario.name, static_cast<unsigned long long>(result.states),
      static_cast<unsigned long long>(result.transitions),
      static_cast<unsigned long long>(result.ends), result.depth,
      model.local_states(), static_cast<unsigned long long>(result.bytes >> 20),
      took.count(), result.complete ? "true" : "false",
      result.violation.c_str());
  std::fflush(stdout);
  for (const std::string& step : result.trace) {
    std::fprintf(stderr, "  %s\n", step.c_str());
  }
  return result.complete;
}

int Run(const std::vector<const char*>& names) {
  std::vector<Scenario> chosen;
  for (const char* name : names) {
    if (std::strcmp(name, "short") == 0) {
      chosen = ShortScenarios();
    } else if (std::strcmp(name, "full") == 0) {
      chosen = FullScenarios();
    } else {
      for (const auto& all : {ShortScenarios(), FullScenarios()}) {
        for (const Scenario& scenario : all) {
          if (std::strcmp(name, scenario.name) == 0) {
            chosen.push_back(scenario);
          }
        }
      }
    }
  }
  if (chosen.empty()) {
    std::fputs("usage: move_model (short | full | NAME...)\n", stderr);
    return 2;
  }
  bool ok = true;
  for (const Scenario& scenario : chosen) ok = Check(scenario) && ok;
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace tieline::model

int main(int argc, char** argv) {
  return tieline::model::Run({argv + 1, argv + argc});
}
