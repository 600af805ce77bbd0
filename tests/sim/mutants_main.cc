// sim_mutants [--seeds N] [--from S] [--jobs J] [--only NUMBER]: runs the
// simulation with each wrong turn until one of N seeds (default 2000) finds it,
// and first, with fewer seeds, without any. One line of JSON each, as they end;
// exit code 1: one was not found, or the right way has a violation.
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "lib/base/mutant.h"
#include "tests/sim/disk.h"
#include "tests/sim/mutants.h"
#include "tests/sim/run.h"

namespace tieline::sim {
namespace {

// A wrong turn may never come to an end: of CPU time, whatever else runs.
constexpr time_t kSecondsASeed = 20;
constexpr uint64_t kSeedsWithout = 100;
constexpr int kFound = 1;
constexpr int kNotFound = 0;

struct Arguments {
  uint64_t seeds = 2000;
  uint64_t from = 1;
  uint64_t jobs = 1;
  uint64_t only = 0;
};

[[noreturn]] void RunMutant(const MutantInfo& mutant, uint64_t from,
                            uint64_t seeds) {
  chosen_mutant = mutant.number;
  for (uint64_t i = 0; i < seeds; ++i) {
    itimerval limit = {};
    limit.it_value.tv_sec = kSecondsASeed;
    setitimer(ITIMER_PROF, &limit, nullptr);
    const RunResult result = RunSeed(from + i, false);
    if (result.ok) continue;
    std::printf(
        "{\"mutant\": %d, \"found\": true, \"seeds\": %llu, "
        "\"invariant\": %d, \"what\": \"%s\"}\n",
        mutant.number, static_cast<unsigned long long>(i) + 1, result.invariant,
        mutant.what);
    std::fflush(stdout);
    std::_Exit(kFound);
  }
  std::_Exit(kNotFound);
}

// In a process of its own: a wrong turn may crash.
pid_t Start(const MutantInfo& mutant, uint64_t from, uint64_t seeds) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) RunMutant(mutant, from, seeds);
  return child;
}

bool IsFound(const MutantInfo& mutant, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kFound) return true;
  // What is neither is a failure of the simulation itself.
  const bool crashed = WIFSIGNALED(status);
  std::printf(
      "{\"mutant\": %d, \"found\": %s, \"signal\": %d, "
      "\"what\": \"%s\"}\n",
      mutant.number, crashed ? "true" : "false", crashed ? WTERMSIG(status) : 0,
      mutant.what);
  std::fflush(stdout);
  return crashed;
}

int Run(const Arguments& arguments) {
  const MutantInfo none{0, "none"};
  int status = 0;
  waitpid(Start(none, arguments.from, kSeedsWithout), &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != kNotFound) {
    std::fputs("the right way has a violation\n", stderr);
    return 1;
  }
  std::vector<MutantInfo> waiting;
  for (const MutantInfo& mutant : Mutants()) {
    const auto number = static_cast<uint64_t>(mutant.number);
    if (arguments.only == 0 || arguments.only == number) {
      waiting.push_back(mutant);
    }
  }
  bool all = !waiting.empty();
  size_t next = 0;
  std::map<pid_t, MutantInfo> running;
  while (next < waiting.size() || !running.empty()) {
    if (next < waiting.size() && running.size() < arguments.jobs) {
      const MutantInfo& mutant = waiting[next++];
      running[Start(mutant, arguments.from, arguments.seeds)] = mutant;
      continue;
    }
    const pid_t ended = wait(&status);
    const auto it = running.find(ended);
    if (it == running.end()) return 1;
    all = IsFound(it->second, status) && all;
    running.erase(it);
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace tieline::sim

int main(int argc, char** argv) {
  tieline::sim::Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) arguments.seeds = value;
    if (std::strcmp(argv[i], "--from") == 0) arguments.from = value;
    if (std::strcmp(argv[i], "--jobs") == 0) arguments.jobs = value;
    if (std::strcmp(argv[i], "--only") == 0) arguments.only = value;
  }
  if (arguments.jobs == 0) return 2;
  // Goes with this process, whatever its children leave there.
  const tieline::testing::TempFolder room(tieline::sim::Disk::MemoryFolder());
  tieline::sim::Disk::parent = room.path();
  return tieline::sim::Run(arguments);
}
