// What a move keeps in the state file.
#include "lib/move/move_store.h"

#include <string>
#include <utility>
#include <vector>

#include "lib/move/move_group.h"
#include "tests/store/temp_store.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

TEST_CASE("the journal's oldest entries go before it is full") {
  testing::TempFolder folder;
  StoreOptions options = testing::SmallStore(folder.File("s.db"));
  options.journal_bytes = 16 << 10;
  const auto store = testing::OpenStore(options);
  const auto moves = MakeMoveStore(store.get(), options.journal_bytes);
  const std::string text = "\"" + std::string(100, 'x') + "\"";
  constexpr uint64_t kEntries = 2000;
  for (uint64_t i = 0; i < kEntries; ++i) {
    moves->Journal("move", text);
    while (store->RunOnce() > 0) {
    }
    REQUIRE(store->state().journal_bytes <= options.journal_bytes);
  }
  const StoreState state = store->state();
  CHECK(state.journal_last == kEntries);
  CHECK(state.journal_first > 1);
  const auto entries = store->ReadJournal(state.journal_first, 1'000'000);
  REQUIRE(entries.ok());
  CHECK(entries->size() == state.journal_last - state.journal_first + 1);
  // At least a third of what there is room for.
  CHECK(state.journal_bytes > options.journal_bytes / 3);
}

TEST_CASE("the records of a group are written together, or none is") {
  testing::TempFolder folder;
  const auto store =
      testing::OpenStore(testing::SmallStore(folder.File("s.db")));
  const auto moves = MakeMoveStore(store.get(), 1 << 20);
  absl::Status told = absl::UnknownError("not told");
  const auto commit = [&](std::vector<std::pair<std::string, SavedMove>> all) {
    told = absl::UnknownError("not told");
    moves->Commit(std::move(all), [&](const absl::Status& s) { told = s; });
    while (store->RunOnce() > 0) {
    }
    return told;
  };
  CHECK(commit({{"a", {2, "d", "r"}}, {"b", {5, "d", "r"}}}).ok());
  CHECK((*moves->Load("a"))->generation == 2);
  CHECK((*moves->Load("b"))->generation == 5);
  // One of them would fall.
  CHECK_FALSE(commit({{"a", {3, "d", "r"}}, {"b", {4, "d", "r"}}}).ok());
  CHECK((*moves->Load("a"))->generation == 2);
  CHECK((*moves->Load("b"))->generation == 5);
}

TEST_CASE("a group commits when each has handed in its record") {
  testing::TempFolder folder;
  const auto store =
      testing::OpenStore(testing::SmallStore(folder.File("s.db")));
  const auto moves = MakeMoveStore(store.get(), 1 << 20);
  MoveGroup group({"a", "b"});
  group.SetPrepared("a");
  CHECK_FALSE(group.AllPrepared());
  group.SetPrepared("b");
  CHECK(group.AllPrepared());
  int told = 0;
  const auto done = [&](const absl::Status& status) {
    CHECK(status.ok());
    ++told;
  };
  group.Commit(moves.get(), "a", {2, "d", "r"}, done);
  CHECK(store->RunOnce() == 0);
  group.Commit(moves.get(), "b", {2, "d", "r"}, done);
  CHECK(store->RunOnce() == 1);
  CHECK(told == 2);
  // Too late to be undone.
  group.Fail("a", absl::NotFoundError("?"));
  CHECK(group.failure().ok());

  MoveGroup failed({"a", "b"});
  failed.SetPrepared("a");
  failed.Fail("b", absl::NotFoundError("no entity"));
  failed.SetPrepared("b");
  CHECK_FALSE(failed.AllPrepared());
  CHECK(failed.failure().message().find("queue b") != std::string::npos);
  CHECK(failed.failure().message().find("no entity") != std::string::npos);

  // One that is undone before all have handed in their records.
  MoveGroup undone({"a", "b"});
  undone.SetPrepared("a");
  undone.SetPrepared("b");
  absl::Status heard;
  undone.Commit(moves.get(), "a", {3, "d", "r"},
                [&](const absl::Status& status) { heard = status; });
  CHECK(heard.ok());
  undone.Fail("b", {});
  CHECK(absl::IsCancelled(heard));
  undone.Commit(moves.get(), "b", {3, "d", "r"},
                [&](const absl::Status& status) { heard = status; });
  CHECK(absl::IsCancelled(heard));
  CHECK(store->RunOnce() == 0);
}

}  // namespace
}  // namespace tieline
