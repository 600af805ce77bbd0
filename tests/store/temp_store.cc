#include "tests/store/temp_store.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "tests/support/catch.h"

namespace tieline::testing {

TempFolder::TempFolder(const std::string& parent) {
  path_ =
      parent.empty() ? std::filesystem::temp_directory_path().string() : parent;
  path_ += "/tieline-store-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::File(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

StoreOptions SmallStore(const std::string& path) {
  StoreOptions options;
  options.path = path;
  options.spool_bytes = 1 << 20;
  options.commit_bytes = 64 << 10;
  options.segment_bytes = 4 << 10;
  options.waiting_bytes = 1 << 20;
  options.drive = StoreDrive::kCaller;
  return options;
}

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

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteWholeFile(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
}

}  // namespace tieline::testing
