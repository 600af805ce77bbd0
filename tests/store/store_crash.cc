// store_crash: crashes a store and looks at what is left, for scripts/accept
// store-crash.
//
//   store_crash disk --kind power|error|full --first SEED --count N
//       lives on a disk that forgets, fails or fills; prints what came of it
//   store_crash work FILE --acknowledged K --asked K
//       checks FILE, then commits batch after batch until it is killed; one
//       line on standard output for each that is acknowledged
//   store_crash kill --count N [--folder F]
//       starts that again and again, and kills it at random moments
//   store_crash fill FILE
//       fills a small disk, trims what is in the file, and so on
//
// Exit codes: 0 nothing was lost, 1 something was, or the file is damaged.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "lib/store/store.h"
#include "tests/store/crash_script.h"
#include "tests/store/crash_trial.h"
#include "tests/store/temp_folder.h"

namespace tieline::testing {
namespace {

constexpr uint64_t kKeep = 100;
constexpr int64_t kFillLives = 5;
constexpr uint64_t kMostWaiting = 8;
constexpr absl::Duration kLongestOpening = absl::Seconds(60);

struct Arguments {
  std::string kind = "power";
  uint64_t first = 1;
  uint64_t count = 100;
  std::string file;
  std::string folder;
  uint64_t acknowledged = 0;
  uint64_t asked = 0;
  uint64_t batches = 2000;
};

int Disk(const Arguments& arguments) {
  const CrashKind kind = arguments.kind == "power"   ? CrashKind::kPower
                         : arguments.kind == "error" ? CrashKind::kError
                                                     : CrashKind::kFull;
  const TempFolder folder;
  CrashTally tally;
  uint64_t seed = arguments.first;
  for (; seed < arguments.first + arguments.count; ++seed) {
    RunCrashTrial(kind, seed, folder.path(), &tally);
    if (!tally.fault.empty()) break;
  }
  nlohmann::json report = {{"crashes", tally.crashes},
                           {"acknowledged", tally.acknowledged},
                           {"errors", tally.errors},
                           {"lost", tally.lost},
                           {"refused_trims", tally.refused_trims},
                           {"fault", tally.fault}};
  if (!tally.fault.empty()) report["seed"] = seed;
  std::cout << report.dump() << "\n";
  return tally.fault.empty() ? 0 : 1;
}

int Failed(const absl::Status& status) {
  std::cerr << "store_crash: " << status.ToString() << "\n";
  return 1;
}

void Tell(const std::string& line) {
  // One write a line: what is in the pipe was acknowledged.
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(1);
}

int Work(const Arguments& arguments) {
  StoreOptions options = SmallStore(arguments.file);
  options.drive = StoreDrive::kThread;
  const auto opened = Store::Open(options);
  if (!opened.ok()) return Failed(opened.status());
  Store* store = opened->get();
  CrashScript script;
  // Trims that may have been asked for so far.
  if (const absl::Status added = script.AddQueues(store); !added.ok()) {
    return Failed(added);
  }
  script.Trim(arguments.asked, kKeep);
  const auto there =
      script.Verify(store, arguments.acknowledged, arguments.asked);
  if (!there.ok()) return Failed(there.status());
  Tell(fmt::format("found {}\n", *there));

  std::mutex mu;
  std::condition_variable changed;
  uint64_t acknowledged = *there;
  for (uint64_t k = *there + 1;; ++k) {
    {
      std::unique_lock<std::mutex> lock(mu);
      changed.wait(lock, [&] { return acknowledged + kMostWaiting >= k; });
    }
    Tell(fmt::format("asked {}\n", k));
    const absl::Status taken = store->Submit(
        script.Batch(k), [&, k](const absl::StatusOr<StoreCommitted>& result) {
          if (!result.ok()) _exit(Failed(result.status()));
          Tell(fmt::format("acknowledged {}\n", k));
          const std::lock_guard<std::mutex> lock(mu);
          acknowledged = k;
          changed.notify_all();
        });
    if (!taken.ok()) _exit(Failed(taken));
    if (k % 50 == 0) {
      const absl::StatusOr<StoreCommitted> trimmed =
          store->Commit(script.Trim(k, kKeep));
      if (!trimmed.ok()) _exit(Failed(trimmed.status()));
    }
  }
}

// A worker that is started, listened to, and killed.
class Victim {
 public:
  Victim(const std::string& file, uint64_t acknowledged, uint64_t asked)
      : acknowledged_(acknowledged), asked_(asked) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) std::abort();
    const std::string k = fmt::format("{}", acknowledged);
    const std::string a = fmt::format("{}", asked);
    child_ = fork();
    if (child_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execl("/proc/self/exe", "store_crash", "work", file.c_str(),
            "--acknowledged", k.c_str(), "--asked", a.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }

  // Listens for so long, or for so long since it has checked the file, kills
  // it, and hears what it still said. Whether it was alive until then.
  bool Kill(absl::Duration after, bool at_work) {
    absl::Time end = Clock::System()->Steady() + after;
    if (at_work) end += kLongestOpening;
    bool killed = false;
    std::array<char, 4096> piece;
    while (true) {
      if (!killed) {
        const absl::Duration left = end - Clock::System()->Steady();
        pollfd readable{.fd = pipe_, .events = POLLIN, .revents = 0};
        const int wait = static_cast<int>(
            std::max<int64_t>(0, absl::ToInt64Milliseconds(left)));
        if (poll(&readable, 1, wait) == 0 || left <= absl::ZeroDuration()) {
          kill(child_, SIGKILL);
          killed = true;
        }
      }
      const ssize_t n = read(pipe_, piece.data(), piece.size());
      if (n <= 0) break;
      const bool opening = !found_;
      Hear({piece.data(), static_cast<size_t>(n)});
      if (at_work && opening && found_) {
        end = Clock::System()->Steady() + after;
      }
    }
    close(pipe_);
    int code = 0;
    waitpid(child_, &code, 0);
    return WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL;
  }

  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t asked() const { return asked_; }
  bool found() const { return found_; }

 private:
  void Hear(std::string_view said) {
    said_.append(said);
    size_t end = 0;
    while ((end = said_.find('\n')) != std::string::npos) {
      const std::string line = said_.substr(0, end);
      said_.erase(0, end + 1);
      const size_t blank = line.find(' ');
      const uint64_t k = std::stoull(line.substr(blank + 1));
      const std::string word = line.substr(0, blank);
      if (word == "asked") asked_ = k;
      if (word == "acknowledged") acknowledged_ = k;
      if (word == "found") {
        found_ = true;
        acknowledged_ = asked_ = k;
      }
    }
  }

  uint64_t acknowledged_;
  uint64_t asked_;
  bool found_ = false;
  std::string said_;
  pid_t child_ = -1;
  int pipe_ = -1;
};

int Kill(const Arguments& arguments) {
  const TempFolder folder(arguments.folder);
  std::mt19937_64 random(arguments.first);
  uint64_t acknowledged = 0;
  uint64_t asked = 0;
  uint64_t kills = 0;
  uint64_t opened = 0;
  bool good = true;
  while (good && kills < arguments.count) {
    Victim victim(folder.File("s.db"), acknowledged, asked);
    // Some die while they open the file, most at work, and the last is given
    // the time to look at it.
    const bool at_work = kills + 1 == arguments.count || random() % 4 != 0;
    good = victim.Kill(absl::Milliseconds(random() % 60), at_work);
    acknowledged = victim.acknowledged();
    asked = victim.asked();
    opened += victim.found() ? 1 : 0;
    ++kills;
  }
  nlohmann::json report = {{"crashes", kills},
                           {"at_work", opened},
                           {"acknowledged", acknowledged},
                           {"lost", good ? 0 : 1},
                           {"fault", good ? "" : "see standard error"}};
  std::cout << report.dump() << "\n";
  return good && opened > 0 ? 0 : 1;
}

// Appends until the disk is full, trims, and so on.
int Fill(const Arguments& arguments) {
  StoreOptions options = SmallStore(arguments.file);
  options.spool_bytes = 1 << 30;
  CrashScript script;
  uint64_t k = 0;
  int64_t full = 0;
  bool was_full = false;
  int64_t looks = 0;
  while (true) {
    const auto opened = Store::Open(options);
    if (!opened.ok()) return Failed(opened.status());
    const auto there = script.Verify(opened->get(), k, k);
    if (!there.ok()) return Failed(there.status());
    if (++looks > kFillLives) break;
    for (uint64_t i = 0; i < arguments.batches; ++i) {
      const auto committed = (*opened)->Commit(script.Batch(k + 1));
      if (committed.ok()) {
        ++k;
        was_full = false;
        continue;
      }
      if (!absl::IsResourceExhausted(committed.status()) || was_full) {
        std::cerr << "batch " << k + 1 << ", after a trim: " << was_full
                  << "\n";
        return Failed(committed.status());
      }
      was_full = true;
      ++full;
      const auto trimmed = (*opened)->Commit(script.Trim(k, kKeep));
      if (!trimmed.ok()) return Failed(trimmed.status());
      script.Trimmed(k, kKeep);
      // Rows are dropped in steps.
      int64_t held = 0;
      do {
        held = (*opened)->state().spool_bytes;
        (*opened)->RunOnce();
      } while ((*opened)->state().spool_bytes < held);
    }
  }
  nlohmann::json report = {
      {"acknowledged", k}, {"full", full}, {"looks", looks}};
  std::cout << report.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace tieline::testing

int main(int argc, char** argv) {
  tieline::testing::Arguments arguments;
  CLI::App app("Crashes a store and looks at what is left.");
  app.require_subcommand(1);
  CLI::App* disk = app.add_subcommand("disk", "lives on a failing disk");
  disk->add_option("--kind", arguments.kind)
      ->check(CLI::IsMember({"power", "error", "full"}));
  disk->add_option("--first", arguments.first, "the first seed");
  disk->add_option("--count", arguments.count, "how many lives");
  CLI::App* work = app.add_subcommand("work", "commits until it is killed");
  work->add_option("file", arguments.file)->required();
  work->add_option("--acknowledged", arguments.acknowledged);
  work->add_option("--asked", arguments.asked);
  CLI::App* kill = app.add_subcommand("kill", "kills workers");
  kill->add_option("--count", arguments.count, "how many");
  kill->add_option("--first", arguments.first, "the seed of the moments");
  kill->add_option("--folder", arguments.folder, "where the file is made");
  CLI::App* fill = app.add_subcommand("fill", "fills a small disk");
  fill->add_option("file", arguments.file)->required();
  fill->add_option("--batches", arguments.batches, "in each of five lives");
  CLI11_PARSE(app, argc, argv);
  if (disk->parsed()) return tieline::testing::Disk(arguments);
  if (work->parsed()) return tieline::testing::Work(arguments);
  if (kill->parsed()) return tieline::testing::Kill(arguments);
  return tieline::testing::Fill(arguments);
}
