// sim (--seeds N [--from S] [--jobs J] | --replay SEED): runs seeds of the
// simulation. One line of JSON a job's end; each seed that fails is named on
// standard error with the command that replays it. --replay prints what all
// messages of one seed did, with --brief those that its violations name; with
// --live also while it runs. Exit code 1: a seed failed.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "tests/sim/disk.h"
#include "tests/sim/run.h"
#include "tests/sim/trace.h"

namespace tieline::sim {
namespace {

struct Arguments {
  uint64_t seeds = 0;
  uint64_t from = 1;
  uint64_t jobs = 1;
  uint64_t replay = 0;
  bool brief = false;  // of a replay, only what is concerned
};

bool Parse(int argc, char** argv, Arguments* out) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--brief") == 0) {
      out->brief = true;
      continue;
    }
    if (std::strcmp(argv[i], "--live") == 0) {
      Trace::is_live = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) {
      out->seeds = value;
    } else if (std::strcmp(argv[i], "--from") == 0) {
      out->from = value;
    } else if (std::strcmp(argv[i], "--jobs") == 0) {
      out->jobs = value;
    } else if (std::strcmp(argv[i], "--replay") == 0) {
      out->replay = value;
    } else {
      return false;
    }
    ++i;
  }
  return (out->seeds > 0) != (out->replay > 0) && out->jobs > 0;
}

int Replay(const Arguments& arguments) {
  const RunResult result = RunSeed(arguments.replay, !arguments.brief);
  std::fputs(result.report.c_str(), stdout);
  std::printf("seed %llu: %s, digest %016llx\n",
              static_cast<unsigned long long>(result.seed),
              result.ok ? "ok" : "FAILED",
              static_cast<unsigned long long>(result.digest));
  return result.ok ? 0 : 1;
}

// Of a crash: which seed it was.
char crash_text[256];

void OnCrash(int signal) {
  [[maybe_unused]] const ssize_t n =
      write(STDERR_FILENO, crash_text, std::strlen(crash_text));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void ExpectCrash(uint64_t seed, const char* program) {
  std::snprintf(crash_text, sizeof crash_text,
                "seed %llu: crashed; replay: %s --replay %llu --live\n",
                static_cast<unsigned long long>(seed), program,
                static_cast<unsigned long long>(seed));
}

// Every `jobs`-th seed from the `job`-th on.
int RunJob(const Arguments& arguments, uint64_t job, const char* program) {
  std::signal(SIGSEGV, OnCrash);
  std::signal(SIGABRT, OnCrash);
  const auto start = std::chrono::steady_clock::now();
  uint64_t done = 0;
  uint64_t failed = 0;
  uint64_t messages = 0;
  uint64_t faults = 0;
  uint64_t rounds = 0;
  uint64_t moves = 0;
  // What each seed has at least.
  int least_messages = std::numeric_limits<int>::max();
  int least_faults = least_messages;
  int least_moves = least_messages;
  double virtual_seconds = 0;
  for (uint64_t i = job; i < arguments.seeds; i += arguments.jobs) {
    ExpectCrash(arguments.from + i, program);
    const RunResult result = RunSeed(arguments.from + i, false);
    ++done;
    messages += static_cast<uint64_t>(result.messages);
    faults += static_cast<uint64_t>(result.faults);
    moves += static_cast<uint64_t>(result.moves);
    least_messages = std::min(least_messages, result.messages);
    least_faults = std::min(least_faults, result.faults);
    least_moves = std::min(least_moves, result.moves);
    rounds += result.rounds;
    virtual_seconds += result.virtual_seconds;
    if (result.ok) continue;
    ++failed;
    const std::string first = result.report.substr(0, result.report.find('\n'));
    std::fprintf(stderr, "seed %llu: %s; replay: %s --replay %llu --brief\n",
                 static_cast<unsigned long long>(result.seed), first.c_str(),
                 program, static_cast<unsigned long long>(result.seed));
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  std::printf(
      "{\"seeds\": %llu, \"failed\": %llu, \"messages\": %llu, \"faults\": "
      "%llu, \"moves\": %llu, \"least_messages\": %d, \"least_faults\": %d, "
      "\"least_moves\": %d, \"rounds\": %llu, \"virtual_seconds\": %.0f, "
      "\"seconds\": %.2f}\n",
      static_cast<unsigned long long>(done),
      static_cast<unsigned long long>(failed),
      static_cast<unsigned long long>(messages),
      static_cast<unsigned long long>(faults),
      static_cast<unsigned long long>(moves), least_messages, least_faults,
      least_moves, static_cast<unsigned long long>(rounds), virtual_seconds,
      took.count());
  std::fflush(stdout);
  return failed == 0 ? 0 : 1;
}

int Run(const Arguments& arguments, const char* program) {
  if (arguments.replay > 0) return Replay(arguments);
  // Processes, not threads: a run has the program's entropy for itself.
  for (uint64_t job = 1; job < arguments.jobs; ++job) {
    if (fork() == 0) std::_Exit(RunJob(arguments, job, program));
  }
  int code = RunJob(arguments, 0, program);
  int status = 0;
  while (wait(&status) > 0) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) code = 1;
  }
  return code;
}

}  // namespace
}  // namespace tieline::sim

int main(int argc, char** argv) {
  tieline::sim::Arguments arguments;
  if (!tieline::sim::Parse(argc, argv, &arguments)) {
    std::fputs(
        "usage: sim (--seeds N [--from S] [--jobs J] | --replay SEED "
        "[--brief] [--live])\n",
        stderr);
    return 2;
  }
  // Goes with this process, whatever its children leave there.
  const tieline::testing::TempFolder room(tieline::sim::Disk::MemoryFolder());
  tieline::sim::Disk::parent = room.path();
  return tieline::sim::Run(arguments, argv[0]);
}
