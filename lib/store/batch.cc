#include "lib/store/batch.h"

#include <algorithm>

#include "lib/store/packing.h"

namespace tieline::inline v0 {
namespace {

// A run is packed as a whole into a segment, so it does not grow for ever.
constexpr size_t kRunBytes = 32 << 10;
// What a small operation writes: a page or two, changed in part.
constexpr int64_t kOperationBytes = 64;

std::string* RunOf(std::vector<StoreBatch::Run>* runs, QueueId queue) {
  if (runs->empty() || runs->back().queue != queue ||
      runs->back().packed.size() >= kRunBytes) {
    runs->push_back({.queue = queue, .count = 0, .packed = {}});
  }
  ++runs->back().count;
  return &runs->back().packed;
}

int64_t Size(size_t bytes) {
  return static_cast<int64_t>(bytes) + StoreBatch::kEntryOverhead;
}

}  // namespace

void StoreBatch::Append(QueueId queue, uint64_t key_hash,
                        std::string_view bytes) {
  store::PackSpool(key_hash, bytes, RunOf(&appends_, queue));
  bytes_ += Size(bytes.size());
}

void StoreBatch::Trim(QueueId queue, uint64_t through) {
  trims_.emplace_back(queue, through);
  bytes_ += kOperationBytes;
}

void StoreBatch::AddToInbox(QueueId queue, std::string_view id,
                            uint64_t digest) {
  // One that is too long is refused with the batch.
  longest_id_ = std::max(longest_id_, id.size());
  store::PackInbox(digest, id.substr(0, kMaxId), RunOf(&inbox_, queue));
  bytes_ += Size(std::min(id.size(), kMaxId));
}

void StoreBatch::EvictFromInbox(QueueId queue, InboxWindow window) {
  evictions_.emplace_back(queue, window);
  bytes_ += kOperationBytes;
}

void StoreBatch::SetGeneration(QueueId queue, GenerationRecord record) {
  bytes_ += Size(record.digest.size() + record.record.size());
  generations_.emplace_back(queue, std::move(record));
}

void StoreBatch::AddToJournal(std::string_view kind, std::string_view json) {
  bytes_ += Size(kind.size() + json.size());
  journal_.push_back({std::string(kind), std::string(json)});
}

void StoreBatch::TrimJournal(uint64_t through) {
  journal_trim_ = std::max(journal_trim_.value_or(0), through);
  bytes_ += kOperationBytes;
}

bool StoreBatch::empty() const { return bytes_ == 0; }

}  // namespace tieline::inline v0
