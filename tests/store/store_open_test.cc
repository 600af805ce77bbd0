// Opening: who may, what is refused, what damage is found and mended.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "fmt/format.h"
#include "lib/store/repair.h"
#include "lib/store/store.h"
#include "tests/store/crash_script.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

bool Contains(const absl::Status& status, std::string_view words) {
  return std::string(status.message()).find(words) != std::string::npos;
}

unsigned ModeOf(const std::string& path) {
  struct stat found;
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 0777u : 0u;
}

// Makes a file by SQLite itself.
void Sqlite(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) ==
          SQLITE_OK);
  sqlite3_close(db);
}

// A store with `batches` of the script; with `log`, some of them only there.
struct Filled {
  CrashScript script;
  std::string file;
  std::string log;
};
Filled Fill(const StoreOptions& options, uint64_t batches) {
  Filled filled;
  const auto store = OpenStore(options);
  REQUIRE(filled.script.AddQueues(store.get()).ok());
  for (uint64_t k = 1; k <= batches; ++k) {
    REQUIRE(store->Commit(filled.script.Batch(k)).ok());
  }
  filled.file = ReadWholeFile(options.path);
  filled.log = ReadWholeFile(options.path + "-wal");
  return filled;
}

TEST_CASE("a second opener is told which process has the file") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  std::array<int, 2> ready{};
  std::array<int, 2> end{};
  REQUIRE(pipe(ready.data()) == 0);
  REQUIRE(pipe(end.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto store = Store::Open(options);
    const char ok = store.ok() ? 'y' : 'n';
    [[maybe_unused]] const ssize_t told = write(ready[1], &ok, 1);
    close(end[1]);
    char byte = 0;
    [[maybe_unused]] const ssize_t n = read(end[0], &byte, 1);
    _exit(0);  // as if it were killed
  }
  close(end[0]);
  char ok = 0;
  REQUIRE(read(ready[0], &ok, 1) == 1);
  CHECK(ok == 'y');
  const absl::Status status = Store::Open(options).status();
  CHECK(absl::IsFailedPrecondition(status));
  CHECK(Contains(status, options.path));
  CHECK(Contains(status, fmt::format("process {} has it open", child)));
  CHECK(Contains(status, "stop that one"));
  CHECK_FALSE(Contains(status, "\n"));
  CHECK(absl::IsFailedPrecondition(RepairStore(options.path).status()));
  close(end[1]);
  int code = 0;
  CHECK(waitpid(child, &code, 0) == child);
  CHECK(Store::Open(options).ok());
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a store is opened once in a process too") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  {
    const auto store = OpenStore(options);
    CHECK(absl::IsFailedPrecondition(Store::Open(options).status()));
  }
  CHECK(Store::Open(options).ok());
}

TEST_CASE("only the owner may read a store's files") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  const mode_t before = umask(0);
  const auto check = [&] {
    for (const char* suffix : {"", "-wal", ".lock", ".reserve"}) {
      INFO(suffix);
      CHECK(ModeOf(options.path + suffix) == 0600u);
    }
    CHECK_FALSE(std::filesystem::exists(options.path + "-shm"));
  };
  {
    const auto store = OpenStore(options);
    REQUIRE(AppendOne(store.get(), QueueOf(store.get(), "q"), "x").ok());
    check();
  }
  REQUIRE(chmod(options.path.c_str(), 0666) == 0);
  const auto store = OpenStore(options);
  REQUIRE(AppendOne(store.get(), QueueOf(store.get(), "q"), "x").ok());
  check();
  umask(before);
}

TEST_CASE("what is not a store is refused and left as it is") {
  const TempFolder folder;
  const std::string path = folder.File("s.db");
  const StoreOptions options = SmallStore(path);
  SECTION("a folder") {
    std::filesystem::create_directory(path);
    CHECK(absl::IsInvalidArgument(Store::Open(options).status()));
  }
  SECTION("a symbolic link") {
    OpenStore(SmallStore(folder.File("real.db")));
    std::filesystem::create_symlink(folder.File("real.db"), path);
    const absl::Status status = Store::Open(options).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK(Contains(status, "symbolic link"));
  }
  SECTION("a named pipe") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK(absl::IsInvalidArgument(Store::Open(options).status()));
  }
  SECTION("a text") {
    WriteWholeFile(path, "not a database\n");
    const absl::Status status = Store::Open(options).status();
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(Contains(status, "not a Tieline store"));
    CHECK(ReadWholeFile(path) == "not a database\n");
  }
  SECTION("another program's SQLite file") {
    Sqlite(path, "CREATE TABLE t (x)");
    const std::string before = ReadWholeFile(path);
    const absl::Status status = Store::Open(options).status();
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(Contains(status, "another program's"));
    CHECK(ReadWholeFile(path) == before);
    CHECK(absl::IsFailedPrecondition(RepairStore(path).status()));
  }
  SECTION("a newer Tieline's") {
    OpenStore(options).reset();
    Sqlite(path, "PRAGMA user_version=2");
    const absl::Status status = Store::Open(options).status();
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(Contains(status, "its version is 2"));
  }
  SECTION("one with a table more") {
    OpenStore(options).reset();
    Sqlite(path, "CREATE TABLE more (x)");
    CHECK(absl::IsDataLoss(Store::Open(options).status()));
  }
  SECTION("a folder that is not there") {
    CHECK(absl::IsNotFound(
        Store::Open(SmallStore(folder.File("none/s.db"))).status()));
  }
}

TEST_CASE("a file that went away is not made anew in silence") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  Fill(options, 3);
  std::filesystem::remove(options.path);
  const absl::Status status = Store::Open(options).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(Contains(status, ".lock"));
  std::filesystem::remove(options.path + ".lock");
  CHECK(Store::Open(options).ok());
}

TEST_CASE("an old copy in the place of a store is found out") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  Fill(options, 3);
  const std::string copy = ReadWholeFile(options.path);
  {
    const auto store = OpenStore(options);
    REQUIRE(AppendOne(store.get(), QueueOf(store.get(), "queue-0"), "x").ok());
  }
  WriteWholeFile(options.path, copy);
  const absl::Status status = Store::Open(options).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(Contains(status, "old copy"));
}

// Flips bytes of one of a store's files, one at a time: each opening says that
// the file is damaged, or has all that was acknowledged.
void FlipBytes(const StoreOptions& options, const std::string& of,
               const Filled& filled, size_t step, int* reported) {
  const std::string mark = ReadWholeFile(options.path + ".lock");
  const std::string whole = of == options.path ? filled.file : filled.log;
  REQUIRE(whole.size() > 4096);
  for (size_t at = 0; at < whole.size(); at += step) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    WriteWholeFile(options.path, filled.file);
    WriteWholeFile(options.path + "-wal", filled.log);
    WriteWholeFile(options.path + ".lock", mark);
    WriteWholeFile(of, flipped);
    auto store = Store::Open(options);
    INFO("byte " << at << " of " << of << ": " << store.status());
    if (!store.ok()) {
      ++*reported;
      CHECK((absl::IsDataLoss(store.status()) ||
             absl::IsFailedPrecondition(store.status())));
      continue;
    }
    CrashScript script;
    const auto there = script.Verify(store->get(), 40, 40);
    INFO(there.status());
    REQUIRE(there.ok());
  }
}

TEST_CASE("a flipped byte is reported, or has hurt nothing") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  Filled filled = Fill(options, 40);
  int reported = 0;
  SECTION("in the file") {
    // Closed in order: all is in the file.
    filled.file = ReadWholeFile(options.path);
    filled.log.clear();
    FlipBytes(options, options.path, filled, 97, &reported);
    CHECK(reported > 50);
  }
  SECTION("in the log") {
    FlipBytes(options, options.path + "-wal", filled, 997, &reported);
    CHECK(reported > 50);
  }
}

TEST_CASE("a log that is cut short, or gone, is reported") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.commit_bytes = 1 << 20;  // so that the log is not begun anew
  options.waiting_bytes = 1 << 20;
  const Filled filled = Fill(options, 20);
  const std::string mark = ReadWholeFile(options.path + ".lock");
  REQUIRE(filled.log.size() > 40000);
  for (const size_t keep :
       {size_t{0}, size_t{20}, size_t{20000}, filled.log.size() - 5000}) {
    WriteWholeFile(options.path, filled.file);
    WriteWholeFile(options.path + "-wal", filled.log.substr(0, keep));
    WriteWholeFile(options.path + ".lock", mark);
    const absl::Status status = Store::Open(options).status();
    CHECK(absl::IsDataLoss(status));
    CHECK(Contains(status, "-wal"));
  }
}

TEST_CASE("a repair keeps what can be read, and counts what can't") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  Filled filled = Fill(options, 40);
  filled.file = ReadWholeFile(options.path);
  uint64_t entries = 0;
  std::string producer;
  {
    const auto store = OpenStore(options);
    entries = static_cast<uint64_t>(store->state().spool_entries);
    producer = store->producer();
  }
  SECTION("of a store that is whole, everything") {
    const auto report = RepairStore(options.path);
    REQUIRE(report.ok());
    CHECK(report->spool_entries.kept == static_cast<int64_t>(entries));
    CHECK(report->spool_entries.lost == 0);
    CHECK(report->damaged_segments == 0);
    CHECK(report->unreadable_tables == 0);
    CHECK(report->lost_commits == 0);
    const auto store = OpenStore(options);
    CHECK(store->producer() == producer);
    const auto there = filled.script.Verify(store.get(), 40, 40);
    INFO(there.status());
    CHECK(there.ok());
    CHECK(ReadWholeFile(report->damaged_file) == filled.file);
  }
  SECTION("of one with a damaged segment, the others") {
    std::string damaged = filled.file;
    const size_t at = damaged.find("1:20:");
    REQUIRE(at != std::string::npos);
    damaged[at + 2] = '9';
    WriteWholeFile(options.path, damaged);
    CHECK(absl::IsDataLoss(Store::Open(options).status()));
    const auto report = RepairStore(options.path);
    REQUIRE(report.ok());
    CHECK(report->damaged_segments == 1);
    CHECK(report->spool_entries.lost > 0);
    CHECK(report->spool_entries.lost + report->spool_entries.kept ==
          static_cast<int64_t>(entries));
    CHECK(report->queues.kept == 3);
    CHECK(report->ToString().find("damaged segments: 1") != std::string::npos);
    const auto store = OpenStore(options);
    CHECK(store->state().spool_entries == report->spool_entries.kept);
    CHECK(ReadWholeFile(report->damaged_file) == damaged);
  }
  SECTION("of one with a page that is no page, what is before and behind") {
    std::string damaged = filled.file;
    const size_t page = damaged.find("1:20:") / 4096;
    damaged.replace(page * 4096, 4096, std::string(4096, '\x5a'));
    WriteWholeFile(options.path, damaged);
    CHECK(absl::IsDataLoss(Store::Open(options).status()));
    const auto report = RepairStore(options.path);
    REQUIRE(report.ok());
    CHECK(report->unreadable_tables == 1);
    CHECK(report->spool_entries.kept > 0);
    CHECK(Store::Open(options).ok());
  }
}

}  // namespace
}  // namespace tieline::testing
