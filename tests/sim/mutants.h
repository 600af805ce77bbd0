// The wrong turns that a build with TIELINE_MUTANTS has: one line each.
#ifndef TIELINE_TESTS_SIM_MUTANTS_H_
#define TIELINE_TESTS_SIM_MUTANTS_H_

#include <vector>

namespace tieline::sim {

struct MutantInfo {
  int number = 0;         // as in the code: Mutant(number)
  const char* what = "";  // what goes wrong
};

const std::vector<MutantInfo>& Mutants();

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_MUTANTS_H_
