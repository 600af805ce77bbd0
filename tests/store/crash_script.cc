#include "tests/store/crash_script.h"

#include <algorithm>

#include "fmt/format.h"
#include "lib/base/status.h"

namespace tieline::testing {
namespace {

constexpr uint64_t kJournalKept = 20;
constexpr int64_t kIdsKept = 50;

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15u + b + 1;
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}

uint64_t Appends(uint64_t k, size_t queue) { return Mix(k, queue) % 5; }

std::string Payload(size_t queue, uint64_t sequence) {
  const uint64_t mixed = Mix(sequence, queue + 77);
  const size_t size = mixed % 61 == 0 ? 3000 : mixed % 200;
  std::string payload = fmt::format("{}:{}:", queue, sequence);
  payload.append(size, static_cast<char>('a' + mixed % 26));
  return payload;
}

std::string Journal(uint64_t k) { return fmt::format("{{\"k\":{}}}", k); }

template <typename... Args>
absl::Status Wrong(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace

absl::Status CrashScript::AddQueues(Store* store) {
  queues_.clear();
  for (size_t i = 0; i < kQueues; ++i) {
    const auto queue = store->AddQueue(fmt::format("queue-{}", i));
    if (!queue.ok()) return queue.status();
    queues_.push_back(*queue);
  }
  return absl::OkStatus();
}

CrashScript::PerQueue CrashScript::LastAfter(uint64_t k) {
  while (last_.size() <= k) {
    PerQueue last = last_.back();
    for (size_t i = 0; i < kQueues; ++i) last[i] += Appends(last_.size(), i);
    last_.push_back(last);
  }
  return last_[k];
}

StoreBatch CrashScript::Batch(uint64_t k) {
  StoreBatch batch;
  const PerQueue before = LastAfter(k - 1);
  const PerQueue after = LastAfter(k);
  for (size_t i = 0; i < kQueues; ++i) {
    for (uint64_t s = before[i] + 1; s <= after[i]; ++s) {
      batch.Append(queues_[i], s, Payload(i, s));
    }
  }
  batch.AddToInbox(queues_[0], fmt::format("id-{}", k), k);
  batch.SetGeneration(queues_[0],
                      {.generation = k, .digest = {}, .record = Journal(k)});
  batch.AddToJournal("batch", Journal(k));
  if (k > kJournalKept) batch.TrimJournal(k - kJournalKept);
  if (k % 10 == 0) {
    batch.EvictFromInbox(queues_[0], InboxWindow{.ids = kIdsKept});
  }
  return batch;
}

StoreBatch CrashScript::Trim(uint64_t k, uint64_t keep) {
  StoreBatch batch;
  const PerQueue last = LastAfter(k);
  for (size_t i = 0; i < kQueues; ++i) {
    const uint64_t through = last[i] - std::min(last[i], keep);
    asked_[i] = std::max(asked_[i], through);
    batch.Trim(queues_[i], through);
  }
  return batch;
}

void CrashScript::Trimmed(uint64_t k, uint64_t keep) {
  const PerQueue last = LastAfter(k);
  for (size_t i = 0; i < kQueues; ++i) {
    trimmed_[i] = std::max(trimmed_[i], last[i] - std::min(last[i], keep));
  }
}

absl::StatusOr<uint64_t> CrashScript::Verify(Store* store,
                                             uint64_t acknowledged,
                                             uint64_t asked) {
  TIELINE_RETURN_IF_ERROR(AddQueues(store));
  TIELINE_ASSIGN_OR_RETURN(const GenerationRecord record,
                           store->Generation(queues_[0]));
  const uint64_t k = record.generation;
  if (k < acknowledged || k > asked) {
    return Wrong("{} batches are there; {} were acknowledged, {} asked for", k,
                 acknowledged, asked);
  }
  TIELINE_ASSIGN_OR_RETURN(const std::vector<JournalEntry> journal,
                           store->ReadJournal(0, 1000));
  if ((k == 0) != journal.empty()) return Wrong("batch {} has no journal", k);
  if (k > 0 && (journal.back().json != Journal(k) ||
                record.record != Journal(k) || journal.back().number != k ||
                journal.size() < std::min(k, kJournalKept))) {
    return Wrong("the journal of batch {} is not its own", k);
  }
  for (uint64_t i = k; i > 0 && i + uint64_t{kIdsKept} / 2 > k; --i) {
    if (store->FindInInbox(queues_[0], fmt::format("id-{}", i)) != i) {
      return Wrong("id {} of {} is not in the inbox", i, k);
    }
  }
  if (store->FindInInbox(queues_[0], fmt::format("id-{}", k + 1)).has_value()) {
    return Wrong("the inbox is ahead of batch {}", k);
  }
  const PerQueue last = LastAfter(k);
  for (size_t i = 0; i < kQueues; ++i) {
    TIELINE_ASSIGN_OR_RETURN(const Store::SpoolRange range,
                             store->RangeOf(queues_[i]));
    if (range.last != last[i] || range.trimmed < trimmed_[i] ||
        range.trimmed > asked_[i]) {
      return Wrong(
          "queue {} has {} to {}; {} batches appended {}, and {} to {} "
          "were trimmed",
          i, range.trimmed + 1, range.last, k, last[i], trimmed_[i], asked_[i]);
    }
    trimmed_[i] = range.trimmed;
    uint64_t next = range.trimmed + 1;
    while (next <= range.last) {
      TIELINE_ASSIGN_OR_RETURN(const SpoolChunk chunk,
                               store->ReadSpool(queues_[i], next, 8 << 10));
      if (chunk.entries.empty()) return Wrong("entry {} is not there", next);
      for (const SpoolChunk::Entry& entry : chunk.entries) {
        if (entry.sequence != next || entry.key_hash != next ||
            entry.bytes != Payload(i, next)) {
          return Wrong("entry {} of queue {} is not what was sent", next, i);
        }
        ++next;
      }
    }
  }
  return k;
}

}  // namespace tieline::testing
