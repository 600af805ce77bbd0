// What a move keeps in the state file.
#include "lib/move/move_store.h"

#include <string>

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

}  // namespace
}  // namespace tieline
