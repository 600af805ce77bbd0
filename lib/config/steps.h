// The steps of a route, as the config writes them:
//
//   - where: { type: order.created }
//   - where_not: { test: true }
//   - set: { region: eu, count: { long: 5 } }
//   - rename: { old: new }
//   - drop: [debug, trace]
//   - key_from: charger
//   - key: one-lane
//
// Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_STEPS_H_
#define TIELINE_LIB_CONFIG_STEPS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config/document.h"
#include "lib/config/fault.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

// What the value of a step looks like.
enum class StepForm : uint8_t { kValues, kNames, kList, kText };

struct StepSpec {
  std::string_view name;
  RouteStep::Kind kind;
  StepForm form;
  std::string_view doc;
};

std::span<const StepSpec> StepSpecs();

// Appends the steps of a list; faults name `path`.
void ReadSteps(const Node& list, const std::string& path,
               std::vector<RouteStep>* steps, Faults* faults);

// What the parser would refuse in steps made in code.
void CheckSteps(const std::vector<RouteStep>& steps, const std::string& path,
                Faults* faults);

// The lines of a "steps" list in YAML, each begun with `indent`.
std::string StepsToYaml(const std::vector<RouteStep>& steps,
                        const std::string& indent);

// Text in double quotes when YAML would read it otherwise.
std::string QuoteYaml(std::string_view text);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_STEPS_H_
