// make_store FILE N: makes a store with a queue, a message of its sender's in
// the spool, one that a broker refused, and N entries in its journal, for tests
// of the command. With a third word it keeps the store open until its input
// ends.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fmt/format.h"
#include "lib/engine/spool_entry.h"
#include "lib/engine/spool_lanes.h"
#include "lib/store/store.h"

namespace {

using namespace tieline;

void Append(QueueId lane, const char* body, StoreBatch* batch) {
  SpoolEntry entry;
  entry.spooled_at = absl::UnixEpoch();
  entry.message = Message(body);
  std::string bytes;
  EncodeSpoolEntry(entry, &bytes);
  batch->Append(lane, 1, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  StoreOptions options;
  options.path = argv[1];
  options.drive = StoreDrive::kCaller;
  auto store = Store::Open(options);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 1;
  }
  const auto lane = (*store)->AddQueue(SpoolLanes::LaneName("q", 1));
  const auto rejected = (*store)->AddQueue(SpoolLanes::RejectedName("q"));
  if (!lane.ok() || !rejected.ok()) return 1;
  StoreBatch batch;
  Append(*lane, "a message", &batch);
  Append(*rejected, "refused", &batch);
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
