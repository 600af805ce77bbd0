// Failing syncs, full disks, and a store that has to stop.
#include <sys/mount.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "fmt/format.h"
#include "lib/store/store.h"
#include "tests/store/fault_vfs.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

TEST_CASE("after a failed sync nothing is acknowledged until it is reopened") {
  const TempFolder folder;
  FaultVfs vfs;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  {
    const auto store = OpenStore(options);
    const QueueId queue = QueueOf(store.get(), "q");
    REQUIRE(AppendOne(store.get(), queue, "kept").ok());
    vfs.FailSync(1);
    CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "failed")));
    CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "after")));
    CHECK(absl::IsUnavailable(store->AddQueue("r").status()));
    CHECK_FALSE(store->state().failure.ok());
    REQUIRE(store->Reopen().ok());
    CHECK(store->state().failure.ok());
    CHECK(Drain(store.get(), queue) == std::vector<std::string>{"kept"});
    CHECK(AppendOne(store.get(), queue, "later").ok());
    // And a disk that goes on failing.
    vfs.FailSyncs(true);
    CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "failed")));
    CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "failed")));
  }
  vfs.PowerCut(1);
  const auto store = OpenStore(options);
  CHECK(Drain(store.get(), QueueOf(store.get(), "q")) ==
        std::vector<std::string>{"kept", "later"});
}

TEST_CASE("a store whose disk failed is opened again when it is time") {
  const TempFolder folder;
  FaultVfs vfs;
  ManualClock clock;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  options.clock = &clock;
  options.reopen_every = absl::Seconds(1);
  int woken = 0;
  options.on_work = [&woken] { ++woken; };
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  CHECK(store->NextRun() == absl::InfiniteFuture());
  REQUIRE(AppendOne(store.get(), queue, "kept").ok());
  vfs.FailSyncs(true);
  CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "failed")));
  CHECK(store->NextRun() == clock.Steady() + absl::Seconds(1));
  const int before = woken;
  CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "refused")));
  CHECK(woken > before);
  // It still fails, and is tried again.
  clock.Advance(absl::Seconds(1));
  store->RunOnce();
  CHECK_FALSE(store->state().failure.ok());
  CHECK(store->NextRun() == clock.Steady() + absl::Seconds(1));
  vfs.FailSyncs(false);
  clock.Advance(absl::Milliseconds(999));
  store->RunOnce();
  CHECK_FALSE(store->state().failure.ok());
  clock.Advance(absl::Milliseconds(1));
  store->RunOnce();
  CHECK(store->state().failure.ok());
  CHECK(store->NextRun() == absl::InfiniteFuture());
  CHECK(AppendOne(store.get(), queue, "later").ok());
  CHECK(Drain(store.get(), queue) == std::vector<std::string>{"kept", "later"});
}

TEST_CASE("a store's own thread opens it again") {
  const TempFolder folder;
  FaultVfs vfs;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  options.drive = StoreDrive::kThread;
  options.reopen_every = absl::Milliseconds(5);
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  vfs.FailSyncs(true);
  CHECK(absl::IsUnavailable(AppendOne(store.get(), queue, "failed")));
  vfs.FailSyncs(false);
  const absl::Time until = absl::Now() + absl::Seconds(30);
  while (!store->state().failure.ok() && absl::Now() < until) {
    std::this_thread::yield();
  }
  CHECK(AppendOne(store.get(), queue, "later").ok());
  CHECK(Drain(store.get(), queue) == std::vector<std::string>{"later"});
}

TEST_CASE("a batch whose sync failed is not there, though nothing was cut") {
  const TempFolder folder;
  FaultVfs vfs;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  REQUIRE(AppendOne(store.get(), queue, "kept").ok());
  vfs.FailSync(1);
  REQUIRE_FALSE(AppendOne(store.get(), queue, "failed").ok());
  // As a killed process leaves it: whatever was written, nothing more.
  const std::string file = ReadWholeFile(options.path);
  const std::string log = ReadWholeFile(options.path + "-wal");
  store.reset();
  const StoreOptions again = SmallStore(folder.File("t.db"));
  WriteWholeFile(again.path, file);
  WriteWholeFile(again.path + "-wal", log);
  store = OpenStore(again);
  CHECK(Drain(store.get(), queue) == std::vector<std::string>{"kept"});
}

TEST_CASE("batches that wait are committed with one sync") {
  const TempFolder folder;
  FaultVfs vfs;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  REQUIRE(AppendOne(store.get(), queue, "first").ok());
  const int64_t before = vfs.syncs();
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    StoreBatch batch;
    batch.Append(queue, 0, "x");
    REQUIRE(store
                ->Submit(std::move(batch),
                         [&](const auto& result) {
                           // Durable before it is answered.
                           CHECK(result.ok());
                           CHECK(vfs.syncs() == before + 1);
                           ++answered;
                         })
                .ok());
  }
  CHECK(store->RunOnce() == 100);
  CHECK(answered == 100);
  CHECK(vfs.syncs() == before + 1);
}

// Holds a sync up until it is let go.
class HeldSync {
 public:
  explicit HeldSync(FaultVfs* vfs) : vfs_(vfs) {
    vfs_->OnSync([this] {
      std::unique_lock<std::mutex> lock(mu_);
      held_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return free_; });
    });
  }
  ~HeldSync() { LetGo(); }
  HeldSync(const HeldSync&) = delete;
  HeldSync& operator=(const HeldSync&) = delete;
  void WaitUntilHeld() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [this] { return held_; });
  }
  void LetGo() {
    const std::lock_guard<std::mutex> lock(mu_);
    free_ = true;
    changed_.notify_all();
  }

 private:
  FaultVfs* vfs_;
  std::mutex mu_;
  std::condition_variable changed_;
  bool held_ = false;
  bool free_ = false;
};

TEST_CASE("a store stops by its deadline, also when the disk hangs") {
  const TempFolder folder;
  FaultVfs vfs;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  options.drive = StoreDrive::kThread;
  auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  auto hung = std::make_unique<HeldSync>(&vfs);
  std::mutex mu;
  std::condition_variable changed;
  absl::Status first = absl::UnknownError("not answered");
  absl::Status second = first;
  const auto tell = [&](absl::Status* to) {
    return [&mu, &changed, to](const absl::StatusOr<StoreCommitted>& result) {
      const std::lock_guard<std::mutex> lock(mu);
      *to = result.status();
      changed.notify_all();
    };
  };
  StoreBatch batch;
  batch.Append(queue, 0, "x");
  REQUIRE(store->Submit(batch, tell(&first)).ok());
  hung->WaitUntilHeld();
  CHECK(absl::IsDeadlineExceeded(
      store->Commit(batch, absl::Milliseconds(1)).status()));
  REQUIRE(store->Submit(batch, tell(&second)).ok());
  CHECK(absl::IsDeadlineExceeded(store->Close(absl::Milliseconds(10))));
  CHECK(absl::IsCancelled(second));
  CHECK(absl::IsFailedPrecondition(store->Submit(batch, nullptr)));
  store.reset();
  // It is still the owner, until the disk answers.
  StoreOptions plain = SmallStore(options.path);
  CHECK(absl::IsFailedPrecondition(Store::Open(plain).status()));
  hung->LetGo();
  {
    std::unique_lock<std::mutex> lock(mu);
    changed.wait(lock, [&] { return !absl::IsUnknown(first); });
  }
  CHECK(first.ok());
  absl::StatusOr<std::unique_ptr<Store>> again = Store::Open(plain);
  for (int i = 0; i < 1000000 && !again.ok(); ++i) again = Store::Open(plain);
  REQUIRE(again.ok());
  CHECK(Drain(again->get(), queue).size() == 1);
}

TEST_CASE("what was submitted is committed before a store is closed") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.drive = StoreDrive::kThread;
  int answered = 0;
  QueueId queue{};
  {
    const auto store = OpenStore(options);
    queue = QueueOf(store.get(), "q");
    for (int i = 0; i < 500; ++i) {
      StoreBatch batch;
      batch.Append(queue, 0, "x");
      REQUIRE(store
                  ->Submit(std::move(batch),
                           [&](const auto& result) {
                             if (result.ok()) ++answered;
                           })
                  .ok());
    }
    CHECK(store->Close(absl::Seconds(60)).ok());
    CHECK(store->Close(absl::Seconds(60)).ok());
    CHECK(answered == 500);
    CHECK(absl::IsFailedPrecondition(AppendOne(store.get(), queue, "late")));
  }
  CHECK(Drain(OpenStore(options).get(), queue).size() == 500);
}

TEST_CASE("a callback may submit, and is told that it must not wait") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.drive = StoreDrive::kThread;
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  StoreBatch batch;
  batch.Append(queue, 0, "x");
  absl::Status waited;
  absl::Status closed;
  REQUIRE(store
              ->Submit(batch,
                       [&](const auto&) {
                         waited = store->Commit(batch).status();
                         closed = store->Close(absl::ZeroDuration());
                         CHECK(store->Submit(batch, nullptr).ok());
                       })
              .ok());
  while (store->state().spool_entries < 2) {
  }
  CHECK(absl::IsFailedPrecondition(waited));
  CHECK(absl::IsFailedPrecondition(closed));
}

// A tmpfs of its own size.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& folder) : folder_(folder) {
    mounted_ = mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=2m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string folder_;
  bool mounted_ = false;
};

TEST_CASE("a store on a real full disk pushes back, trims, and goes on") {
  const TempFolder folder;
  const SmallDisk disk(folder.path());
  if (!disk.mounted()) {
    TIELINE_NOT_APPLICABLE("a tmpfs can't be mounted here: not root");
  }
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.spool_bytes = 1 << 30;
  options.commit_bytes = 32 << 10;
  uint64_t kept = 0;
  {
    const auto store = OpenStore(options);
    const QueueId queue = QueueOf(store.get(), "q");
    const std::string body(1000, 'x');
    for (int round = 0; round < 5; ++round) {
      absl::Status status;
      int taken = 0;
      while ((status = AppendOne(store.get(), queue, body)).ok()) ++taken;
      CHECK(absl::IsResourceExhausted(status));
      CHECK(taken > 100);
      // A decision is recorded all the same.
      StoreBatch record;
      record.SetGeneration(
          queue,
          {.generation = uint64_t(round + 1), .digest = {}, .record = "full"});
      record.AddToJournal("full", "{}");
      CHECK(store->Commit(std::move(record)).ok());
      StoreBatch trim;
      const auto range = store->RangeOf(queue);
      trim.Trim(queue, range->last - 20);
      CHECK(store->Commit(std::move(trim)).ok());
      // Rows are dropped in steps.
      for (int i = 0; i < 500; ++i) store->RunOnce();
    }
    kept = Drain(store.get(), queue).size();
  }
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  CHECK(Drain(store.get(), queue).size() == kept);
  CHECK(store->Generation(queue)->generation == 5);
}

}  // namespace
}  // namespace tieline::testing
