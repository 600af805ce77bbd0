// Loading, admission and reading; index_plan.cc has the rest.
#include "lib/store/index.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "lib/base/status.h"
#include "lib/store/packing.h"

namespace tieline::inline v0::store {
namespace {

constexpr size_t kMaxName = 512;

// What a batch adds to the holdings.
Holdings Adds(const StoreBatch& batch) {
  Holdings adds;
  for (const StoreBatch::Run& run : batch.appends()) {
    const auto count = static_cast<int64_t>(run.count);
    adds.spool_entries += count;
    adds.spool_bytes +=
        static_cast<int64_t>(run.packed.size()) +
        count * (StoreBatch::kEntryOverhead - int64_t{kSpoolHead});
  }
  for (const StoreBatch::Run& run : batch.inbox()) {
    adds.inbox_ids += static_cast<int64_t>(run.count);
  }
  for (const StoreBatch::JournalText& text : batch.journal()) {
    adds.journal_bytes +=
        static_cast<int64_t>(text.kind.size() + text.json.size()) +
        StoreBatch::kEntryOverhead;
  }
  adds.waiting_bytes = batch.bytes();
  return adds;
}

void Add(const Holdings& adds, int64_t sign, Holdings* to) {
  to->spool_bytes += sign * adds.spool_bytes;
  to->spool_entries += sign * adds.spool_entries;
  to->inbox_ids += sign * adds.inbox_ids;
  to->journal_bytes += sign * adds.journal_bytes;
  to->waiting_bytes += sign * adds.waiting_bytes;
}

absl::Status InBound(std::string_view what, std::string_view option,
                     int64_t held, int64_t more, int64_t bound,
                     std::string_view remedy) {
  if (more == 0 || held + more <= bound) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "store: {} would pass {} ({} held, {} more, {} allowed); "
                    "{}",
                    what, option, held, more, bound, remedy);
}

absl::Status Misfit(std::string_view what, int64_t id) {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "segment {} of the {} does not follow the one before it",
                    id, what);
}

}  // namespace

Index::Index(const StoreOptions& options) : options_(options) {}

Index::Queue* Index::Find(QueueId queue) const {
  const auto it = queues_.find(queue);
  return it == queues_.end() ? nullptr : it->second.get();
}

absl::Status Index::AddQueue(QueueId queue, QueueRow row) {
  if (!names_.emplace(row.name, queue).second) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "two queues have the same name");
  }
  auto made = std::make_unique<Queue>();
  made->last = row.trimmed;
  made->queued_generation = row.generation.generation;
  made->row = std::move(row);
  queues_.emplace(queue, std::move(made));
  return absl::OkStatus();
}

absl::Status Index::AddSpool(QueueId queue, const SpoolSegment& segment) {
  Queue* of = Find(queue);
  if (of == nullptr || segment.id <= last_spool_id_) {
    return Misfit("spool", segment.id);
  }
  last_spool_id_ = segment.id;
  held_.spool_bytes += segment.cost;
  if (segment.last() <= of->row.trimmed) {
    spool_drops_.push_back({segment.id, segment.cost});
    return absl::OkStatus();
  }
  const bool follows = of->spool.empty() ? segment.prev <= of->row.trimmed
                                         : segment.prev == of->last;
  if (!follows) return Misfit("spool", segment.id);
  held_.spool_entries += static_cast<int64_t>(segment.count);
  of->last = segment.last();
  of->spool.push_back(segment);
  return absl::OkStatus();
}

absl::Status Index::AddInbox(QueueId queue, InboxSegment segment) {
  if (Find(queue) == nullptr || segment.id <= last_inbox_id_) {
    return Misfit("inbox", segment.id);
  }
  TakeInbox(queue, std::move(segment));
  return absl::OkStatus();
}

void Index::AddJournal(const JournalRow& row) {
  if (first_journal_id_ == 0) first_journal_id_ = row.id;
  last_journal_id_ = row.id;
  held_.journal_bytes += static_cast<int64_t>(row.kind.size()) +
                         static_cast<int64_t>(row.json.size()) +
                         StoreBatch::kEntryOverhead;
}

absl::StatusOr<QueueId> Index::FindQueue(std::string_view name) const {
  const auto it = names_.find(std::string(name));
  if (it != names_.end()) return it->second;
  return MakeStatus(absl::StatusCode::kNotFound,
                    "store: it knows no queue '{}'", name);
}

absl::StatusOr<QueueId> Index::NextQueue(std::string_view name) const {
  if (name.empty() || name.size() > kMaxName) {
    return InvalidArgument("store: a queue's name has 1 to {} bytes, not {}",
                           kMaxName, name.size());
  }
  TIELINE_RETURN_IF_ERROR(InBound("a queue", "queues",
                                  static_cast<int64_t>(queues_.size()), 1,
                                  options_.queues, "raise it"));
  const uint32_t last =
      queues_.empty() ? 0 : static_cast<uint32_t>(queues_.rbegin()->first);
  return QueueId{last + 1};
}

absl::Status Index::Check(const StoreBatch& batch) const {
  const auto known = [this](QueueId queue) -> absl::Status {
    if (Find(queue) != nullptr) return absl::OkStatus();
    return InvalidArgument(
        "store: it knows no queue number {}; AddQueue gives "
        "the numbers",
        static_cast<uint32_t>(queue));
  };
  if (batch.bytes() > options_.commit_bytes) {
    return InvalidArgument(
        "store: a batch of {} bytes is larger than commit_bytes, {}; divide it "
        "or raise that",
        batch.bytes(), options_.commit_bytes);
  }
  if (batch.longest_id() > StoreBatch::kMaxId) {
    return InvalidArgument("store: a message id has {} bytes at most, not {}",
                           StoreBatch::kMaxId, batch.longest_id());
  }
  for (const auto& run : batch.appends()) {
    TIELINE_RETURN_IF_ERROR(known(run.queue));
  }
  for (const auto& run : batch.inbox()) {
    TIELINE_RETURN_IF_ERROR(known(run.queue));
  }
  for (const auto& [queue, window] : batch.evictions()) {
    TIELINE_RETURN_IF_ERROR(known(queue));
  }
  for (const auto& [queue, through] : batch.trims()) {
    TIELINE_RETURN_IF_ERROR(known(queue));
    if (through > Find(queue)->last) {
      return InvalidArgument(
          "store: queue '{}' can't be trimmed to entry {}: its last is {}",
          Find(queue)->row.name, through, Find(queue)->last);
    }
  }
  for (const auto& [queue, record] : batch.generations()) {
    TIELINE_RETURN_IF_ERROR(known(queue));
    if (record.digest.size() > StoreBatch::kMaxDigest ||
        record.record.size() > StoreBatch::kMaxRecord) {
      return InvalidArgument(
          "store: a generation's digest has {} bytes at most and its record "
          "{}, not {} and {}",
          StoreBatch::kMaxDigest, StoreBatch::kMaxRecord, record.digest.size(),
          record.record.size());
    }
    if (record.generation < Find(queue)->queued_generation) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "store: queue '{}' is at generation {}, and can't go "
                        "back to {}",
                        Find(queue)->row.name, Find(queue)->queued_generation,
                        record.generation);
    }
  }
  for (const auto& text : batch.journal()) {
    if (text.kind.size() <= StoreBatch::kMaxKind &&
        text.json.size() <= StoreBatch::kMaxText) {
      continue;
    }
    return InvalidArgument(
        "store: a journal entry's kind has {} bytes at most and its text {}, "
        "not {} and {}",
        StoreBatch::kMaxKind, StoreBatch::kMaxText, text.kind.size(),
        text.json.size());
  }
  return absl::OkStatus();
}

absl::Status Index::Admit(const StoreBatch& batch) {
  TIELINE_RETURN_IF_ERROR(Check(batch));
  const Holdings adds = Adds(batch);
  TIELINE_RETURN_IF_ERROR(InBound(
      "what waits to be written", "waiting_bytes", admitted_.waiting_bytes,
      adds.waiting_bytes, options_.waiting_bytes, "the disk is slow: wait"));
  TIELINE_RETURN_IF_ERROR(InBound(
      "the spool", "spool_bytes", held_.spool_bytes + admitted_.spool_bytes,
      adds.spool_bytes, options_.spool_bytes, "wait until it is drained"));
  TIELINE_RETURN_IF_ERROR(
      InBound("the inbox", "inbox_ids", held_.inbox_ids + admitted_.inbox_ids,
              adds.inbox_ids, options_.inbox_ids, "evict old ids, or wait"));
  TIELINE_RETURN_IF_ERROR(InBound("the journal", "journal_bytes",
                                  held_.journal_bytes + admitted_.journal_bytes,
                                  adds.journal_bytes, options_.journal_bytes,
                                  "trim what was read"));
  for (const auto& [queue, record] : batch.generations()) {
    Find(queue)->queued_generation = record.generation;
    ++Find(queue)->generations_waiting;
  }
  Add(adds, 1, &admitted_);
  return absl::OkStatus();
}

void Index::Refuse(const StoreBatch& batch) {
  Add(Adds(batch), -1, &admitted_);
  for (const auto& [queue, record] : batch.generations()) {
    Queue* of = Find(queue);
    if (--of->generations_waiting > 0) continue;
    of->queued_generation = of->row.generation.generation;
  }
}

std::vector<SpoolSegment> Index::Spooled(QueueId queue, uint64_t from,
                                         int64_t bytes) const {
  std::vector<SpoolSegment> found;
  const Queue* of = Find(queue);
  if (of == nullptr) return found;
  auto it = std::partition_point(
      of->spool.begin(), of->spool.end(),
      [from](const SpoolSegment& segment) { return segment.last() < from; });
  for (; it != of->spool.end(); ++it) {
    bytes -= it->cost;
    if (bytes < 0 && !found.empty()) break;
    found.push_back(*it);
  }
  return found;
}

std::optional<uint64_t> Index::FindId(QueueId queue,
                                      std::string_view id) const {
  const Queue* of = Find(queue);
  if (of == nullptr) return std::nullopt;
  const auto it = of->ids.find(ToAbsl(id));
  if (it == of->ids.end()) return std::nullopt;
  return it->second;
}

std::optional<GenerationRecord> Index::Generation(QueueId queue) const {
  const Queue* of = Find(queue);
  if (of == nullptr) return std::nullopt;
  return of->row.generation;
}

std::optional<Index::Range> Index::SpoolRange(QueueId queue) const {
  const Queue* of = Find(queue);
  if (of == nullptr) return std::nullopt;
  return Range{.trimmed = of->row.trimmed, .last = of->last};
}

std::vector<std::pair<QueueId, std::string>> Index::Queues() const {
  std::vector<std::pair<QueueId, std::string>> all;
  for (const auto& [queue, of] : queues_) all.emplace_back(queue, of->row.name);
  return all;
}

Holdings Index::holdings() const {
  Holdings holdings = held_;
  holdings.waiting_bytes = admitted_.waiting_bytes;
  if (first_journal_id_ != 0) {
    holdings.journal_first = first_journal_id_;
    holdings.journal_last = last_journal_id_;
  }
  return holdings;
}

}  // namespace tieline::inline v0::store
