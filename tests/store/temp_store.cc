#include "tests/store/temp_store.h"

#include <utility>

#include "tests/support/catch.h"

namespace tieline::testing {

std::unique_ptr<Store> OpenStore(StoreOptions options) {
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(std::move(options));
  INFO(store.status());
  REQUIRE(store.ok());
  return *std::move(store);
}

QueueId QueueOf(Store* store, std::string_view name) {
  const absl::StatusOr<QueueId> queue = store->AddQueue(name);
  INFO(queue.status());
  REQUIRE(queue.ok());
  return *queue;
}

absl::Status AppendOne(Store* store, QueueId queue, std::string_view bytes) {
  StoreBatch batch;
  batch.Append(queue, 0, bytes);
  return store->Commit(std::move(batch)).status();
}

std::vector<std::string> Drain(Store* store, QueueId queue) {
  std::vector<std::string> all;
  uint64_t next = 0;
  while (true) {
    const absl::StatusOr<SpoolChunk> chunk =
        store->ReadSpool(queue, next, 16 << 10);
    INFO(chunk.status());
    REQUIRE(chunk.ok());
    if (chunk->entries.empty()) return all;
    for (const SpoolChunk::Entry& entry : chunk->entries) {
      if (next != 0) REQUIRE(entry.sequence == next);
      next = entry.sequence + 1;
      all.emplace_back(entry.bytes);
    }
  }
}

}  // namespace tieline::testing
