// Bounds, the inbox's window, generations and the journal.
#include <string>

#include "fmt/format.h"
#include "lib/store/store.h"
#include "tests/store/fault_vfs.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

TEST_CASE("at each bound a batch is pushed back, and nothing of it is there") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.spool_bytes = 1000;
  options.inbox_ids = 2;
  options.journal_bytes = 200;
  options.queues = 2;
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  QueueOf(store.get(), "r");
  CHECK(absl::IsResourceExhausted(store->AddQueue("s").status()));

  CHECK(AppendOne(store.get(), queue, std::string(900, 'x')).ok());
  const absl::Status full =
      AppendOne(store.get(), queue, std::string(100, 'x'));
  CHECK(absl::IsResourceExhausted(full));
  CHECK(full.message().find("spool_bytes") != absl::string_view::npos);
  StoreBatch trim;
  trim.Trim(queue, 1);
  CHECK(store->Commit(std::move(trim)).ok());
  CHECK(AppendOne(store.get(), queue, std::string(900, 'y')).ok());
  CHECK(store->state().spool_entries == 1);

  StoreBatch ids;
  ids.AddToInbox(queue, "a", 1);
  ids.AddToInbox(queue, "b", 2);
  CHECK(store->Commit(std::move(ids)).ok());
  StoreBatch third;
  third.AddToInbox(queue, "c", 3);
  CHECK(absl::IsResourceExhausted(store->Commit(std::move(third)).status()));
  CHECK_FALSE(store->FindInInbox(queue, "c").has_value());

  StoreBatch entry;
  entry.AddToJournal("kind", std::string(100, 'j'));
  CHECK(store->Commit(entry).ok());
  CHECK(absl::IsResourceExhausted(store->Commit(entry).status()));
  CHECK(store->ReadJournal(0, 10)->size() == 1);
}

TEST_CASE("what waits for the disk is bounded, and let go when it is written") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.waiting_bytes = options.commit_bytes;
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  StoreBatch half;
  half.Append(queue, 0, std::string(40 << 10, 'x'));
  CHECK(store->Submit(half, nullptr).ok());
  CHECK(absl::IsResourceExhausted(store->Submit(half, nullptr)));
  CHECK(store->RunOnce() == 1);
  CHECK(store->state().waiting_bytes == 0);
  CHECK(store->Submit(half, nullptr).ok());
}

TEST_CASE("what does not fit a store is refused by name") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  StoreBatch large;
  large.Append(queue, 0, std::string(options.commit_bytes, 'x'));
  CHECK(absl::IsInvalidArgument(store->Submit(large, nullptr)));
  StoreBatch stranger;
  stranger.Append(QueueId{77}, 0, "x");
  CHECK(absl::IsInvalidArgument(store->Submit(stranger, nullptr)));
  StoreBatch past;
  past.Trim(queue, 1);
  CHECK(absl::IsInvalidArgument(store->Submit(past, nullptr)));
  StoreBatch id;
  id.AddToInbox(queue, std::string(StoreBatch::kMaxId + 1, 'i'), 0);
  CHECK(absl::IsInvalidArgument(store->Submit(id, nullptr)));
  StoreBatch kind;
  kind.AddToJournal(std::string(StoreBatch::kMaxKind + 1, 'k'), "{}");
  CHECK(absl::IsInvalidArgument(store->Submit(kind, nullptr)));
  StoreBatch digest;
  digest.SetGeneration(
      queue, {.generation = 1, .digest = std::string(65, 'd'), .record = {}});
  CHECK(absl::IsInvalidArgument(store->Submit(digest, nullptr)));
  CHECK(absl::IsInvalidArgument(store->AddQueue("").status()));
  CHECK(
      absl::IsInvalidArgument(store->AddQueue(std::string(513, 'q')).status()));
}

TEST_CASE("options out of their range are named") {
  const TempFolder folder;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.commit_bytes = 1;
  CHECK(absl::IsInvalidArgument(Store::Open(options).status()));
  options = SmallStore(folder.File("s.db"));
  options.segment_bytes = options.commit_bytes + 1;
  const absl::Status status = Store::Open(options).status();
  CHECK(status.message().find("segment_bytes") != absl::string_view::npos);
  options = SmallStore("");
  CHECK(absl::IsInvalidArgument(Store::Open(options).status()));
}

TEST_CASE("a generation never falls, also behind one that still waits") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  QueueId queue{};
  const auto at = [&](uint64_t generation) {
    StoreBatch batch;
    batch.SetGeneration(queue,
                        {.generation = generation, .digest = {}, .record = {}});
    return batch;
  };
  {
    const auto store = OpenStore(options);
    queue = QueueOf(store.get(), "q");
    REQUIRE(store->Submit(at(5), nullptr).ok());
    CHECK(absl::IsFailedPrecondition(store->Submit(at(4), nullptr)));
    CHECK(store->RunOnce() == 1);
    CHECK(store->Commit(at(5)).ok());
  }
  const auto store = OpenStore(options);
  CHECK(absl::IsFailedPrecondition(store->Commit(at(4)).status()));
  CHECK(store->Generation(queue)->generation == 5);
}

TEST_CASE("ids are evicted as they are told to be, by count and by age") {
  const TempFolder folder;
  ManualClock clock;
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.clock = &clock;
  QueueId queue{};
  const auto add = [&](Store* store, std::string_view id) {
    StoreBatch batch;
    batch.AddToInbox(queue, id, 1);
    REQUIRE(store->Commit(std::move(batch)).ok());
  };
  const auto evict = [&](Store* store, InboxWindow window) {
    StoreBatch batch;
    batch.EvictFromInbox(queue, window);
    REQUIRE(store->Commit(std::move(batch)).ok());
  };
  {
    const auto store = OpenStore(options);
    queue = QueueOf(store.get(), "q");
    for (const char* id : {"a", "b", "c"}) add(store.get(), id);
    clock.Advance(absl::Hours(9));
    CHECK(store->FindInInbox(queue, "a").has_value());
    evict(store.get(), {.ids = 2});
    CHECK_FALSE(store->FindInInbox(queue, "a").has_value());
    CHECK(store->FindInInbox(queue, "b").has_value());
    add(store.get(), "late");
    clock.Advance(absl::Minutes(5));
    evict(store.get(), {.age = absl::Hours(1)});
    CHECK_FALSE(store->FindInInbox(queue, "c").has_value());
    CHECK(store->FindInInbox(queue, "late").has_value());
  }
  // Ages go on where they were: neither the calendar's time nor that in which
  // nobody had the file open makes an id old.
  clock.JumpWall(absl::Hours(1000));
  clock.Advance(absl::Hours(1000));
  const auto store = OpenStore(options);
  evict(store.get(), {.age = absl::Hours(1)});
  CHECK(store->FindInInbox(queue, "late").has_value());
  clock.Advance(absl::Minutes(61));
  evict(store.get(), {.age = absl::Hours(1)});
  CHECK_FALSE(store->FindInInbox(queue, "late").has_value());
  CHECK(store->state().inbox_ids == 0);
}

TEST_CASE("an id that comes twice keeps its first digest, and goes once") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  const QueueId other = QueueOf(store.get(), "r");
  StoreBatch twice;
  twice.AddToInbox(queue, "a", 1);
  twice.AddToInbox(queue, "a", 2);
  CHECK(store->Commit(twice).ok());
  CHECK(store->Commit(twice).ok());
  CHECK(store->FindInInbox(queue, "a") == 1);
  CHECK_FALSE(store->FindInInbox(other, "a").has_value());
  StoreBatch evict;
  evict.EvictFromInbox(queue, {.ids = 0});
  CHECK(store->Commit(std::move(evict)).ok());
  CHECK_FALSE(store->FindInInbox(queue, "a").has_value());
  CHECK(store->state().inbox_ids == 0);
}

TEST_CASE("the journal is trimmed as told, and its numbers go on") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  {
    const auto store = OpenStore(options);
    for (int i = 1; i <= 10; ++i) {
      StoreBatch batch;
      batch.AddToJournal("k", fmt::format("{}", i));
      REQUIRE(store->Commit(std::move(batch)).ok());
    }
    CHECK(store->ReadJournal(4, 3)->back().number == 6);
    StoreBatch trim;
    trim.TrimJournal(1000);
    CHECK(store->Commit(std::move(trim)).ok());
    const auto left = store->ReadJournal(0, 100);
    REQUIRE(left->size() == 1);
    CHECK(left->at(0).json == "10");
  }
  const auto store = OpenStore(options);
  StoreBatch batch;
  batch.AddToJournal("k", "11");
  CHECK(store->Commit(std::move(batch)).ok());
  CHECK(store->ReadJournal(0, 100)->back().number == 11);
}

TEST_CASE("thousands of small segments are dropped in steps, and all of them") {
  const TempFolder folder;
  FaultVfs vfs;  // for its quick syncs
  StoreOptions options = SmallStore(folder.File("s.db"));
  options.vfs = vfs.name();
  const auto store = OpenStore(options);
  const QueueId queue = QueueOf(store.get(), "q");
  for (int i = 0; i < 1300; ++i) {
    REQUIRE(AppendOne(store.get(), queue, "x").ok());
  }
  StoreBatch trim;
  trim.Trim(queue, 1300);
  REQUIRE(store->Commit(std::move(trim)).ok());
  CHECK(store->state().spool_entries == 0);
  CHECK(store->state().spool_bytes > 0);
  for (int i = 0; i < 100; ++i) store->RunOnce();
  CHECK(store->state().spool_bytes == 0);
}

}  // namespace
}  // namespace tieline::testing
