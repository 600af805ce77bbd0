// What a store holds, and that it is there again.
#include "lib/store/store.h"

#include <string>
#include <vector>

#include "fmt/format.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline::testing {
namespace {

std::vector<std::string> Numbered(int first, int last) {
  std::vector<std::string> all;
  for (int i = first; i <= last; ++i) all.push_back(fmt::format("m{}", i));
  return all;
}

TEST_CASE("what was committed is there when the file is opened again") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  std::string producer;
  {
    const auto store = OpenStore(options);
    producer = store->producer();
    const QueueId queue = QueueOf(store.get(), "orders");
    StoreBatch batch;
    batch.Append(queue, 7, "first");
    batch.Append(queue, 8, std::string("\0\xff", 2));
    batch.AddToInbox(queue, "id-1", 99);
    batch.SetGeneration(queue,
                        {.generation = 3, .digest = "d", .record = "primary"});
    batch.AddToJournal("move", R"({"to":"fresh"})");
    const auto committed = store->Commit(std::move(batch));
    REQUIRE(committed.ok());
    REQUIRE(committed->appended.size() == 1);
    CHECK(committed->appended[0].first == 1);
    CHECK(committed->appended[0].count == 2);
  }
  const auto store = OpenStore(options);
  CHECK(producer.size() == 16);
  CHECK(store->producer() == producer);
  const QueueId queue = QueueOf(store.get(), "orders");
  const auto chunk = store->ReadSpool(queue, 0, 1000);
  REQUIRE(chunk.ok());
  REQUIRE(chunk->entries.size() == 2);
  CHECK(chunk->entries[0].bytes == "first");
  CHECK(chunk->entries[0].key_hash == 7);
  CHECK(chunk->entries[1].sequence == 2);
  CHECK(chunk->entries[1].bytes == std::string_view("\0\xff", 2));
  CHECK(store->FindInInbox(queue, "id-1") == 99);
  CHECK_FALSE(store->FindInInbox(queue, "id-2").has_value());
  const auto generation = store->Generation(queue);
  REQUIRE(generation.ok());
  CHECK(generation->generation == 3);
  CHECK(generation->record == "primary");
  CHECK(generation->digest == "d");
  const auto journal = store->ReadJournal(0, 10);
  REQUIRE(journal.ok());
  REQUIRE(journal->size() == 1);
  CHECK(journal->at(0).kind == "move");
  CHECK(journal->at(0).json == R"({"to":"fresh"})");
}

TEST_CASE("entries of a queue come in the order in which they were submitted") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  const auto store = OpenStore(options);
  const QueueId one = QueueOf(store.get(), "one");
  const QueueId two = QueueOf(store.get(), "two");
  int answered = 0;
  for (int i = 1; i <= 2000; ++i) {
    StoreBatch batch;
    batch.Append(one, 0, fmt::format("m{}", i));
    batch.Append(two, 0, fmt::format("m{}", -i));
    REQUIRE(store
                ->Submit(std::move(batch),
                         [&answered, i](const auto& result) {
                           CHECK(result.ok());
                           CHECK(result->appended[0].first == uint64_t(i));
                           ++answered;
                         })
                .ok());
  }
  while (store->RunOnce() > 0) {
  }
  CHECK(answered == 2000);
  CHECK(Drain(store.get(), one) == Numbered(1, 2000));
  CHECK(Drain(store.get(), two).size() == 2000);
}

TEST_CASE(
    "a trim takes what it names and leaves the rest, also after opening") {
  const TempFolder folder;
  const StoreOptions options = SmallStore(folder.File("s.db"));
  QueueId queue{};
  {
    const auto store = OpenStore(options);
    queue = QueueOf(store.get(), "q");
    for (int i = 1; i <= 10; ++i) {
      REQUIRE(AppendOne(store.get(), queue, fmt::format("m{}", i)).ok());
    }
    StoreBatch trim;
    trim.Trim(queue, 4);
    REQUIRE(store->Commit(std::move(trim)).ok());
    CHECK(Drain(store.get(), queue) == Numbered(5, 10));
  }
  {
    const auto store = OpenStore(options);
    CHECK(Drain(store.get(), queue) == Numbered(5, 10));
    StoreBatch trim;
    trim.Trim(queue, 10);
    REQUIRE(store->Commit(std::move(trim)).ok());
    CHECK(store->state().spool_entries == 0);
    CHECK(store->state().spool_bytes == 0);
  }
  const auto store = OpenStore(options);
  // Numbers go on where they were, though nothing is left.
  StoreBatch batch;
  batch.Append(queue, 0, "m11");
  const auto committed = store->Commit(std::move(batch));
  REQUIRE(committed.ok());
  CHECK(committed->appended[0].first == 11);
}

}  // namespace
}  // namespace tieline::testing
