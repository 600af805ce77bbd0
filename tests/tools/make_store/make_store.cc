// make_store FILE N: makes a store with a queue, a spooled message and N
// entries in its journal, for tests of the command. With a third word it keeps
// the store open until its input ends.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fmt/format.h"
#include "lib/store/store.h"

int main(int argc, char** argv) {
  using namespace tieline;
  if (argc < 3) return 2;
  StoreOptions options;
  options.path = argv[1];
  options.drive = StoreDrive::kCaller;
  auto store = Store::Open(options);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 1;
  }
  const auto queue = (*store)->AddQueue("q");
  if (!queue.ok()) return 1;
  StoreBatch batch;
  batch.Append(*queue, 1, "a message");
  const long entries = std::strtol(argv[2], nullptr, 10);
  for (long i = 1; i <= entries; ++i) {
    batch.AddToJournal("move", fmt::format(R"({{"queue":"q","step":{}}})", i));
  }
  if (!(*store)->Commit(std::move(batch)).ok()) return 1;
  if (argc > 3) {
    std::puts("open");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  }
  return 0;
}
