// Mutant: a wrong turn on purpose, to show that the tests would find it.
//
// `if (Mutant(7))` is false while compiling, and costs nothing, but in a build
// of the library with TIELINE_MUTANTS, where one of them can be chosen;
// tests/sim/mutants.cc lists them. A number is given once.
// Threads: chosen before anything else runs.
#ifndef TIELINE_LIB_BASE_MUTANT_H_
#define TIELINE_LIB_BASE_MUTANT_H_

namespace tieline::inline v0 {

#ifdef TIELINE_MUTANTS
inline int chosen_mutant = 0;  // 0: none
inline bool Mutant(int number) { return number == chosen_mutant; }
#else
constexpr bool Mutant(int /*number*/) { return false; }
#endif

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_MUTANT_H_
