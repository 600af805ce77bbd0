// The planning half of Index.
#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "lib/store/index.h"
#include "lib/store/packing.h"

namespace tieline::inline v0::store {
namespace {

// Rows that one transaction drops at most, so that a trim of millions neither
// holds up others nor writes more than the disk's reserve takes: each changes
// up to three pages.
constexpr int64_t kDropsAtOnce = 512;
constexpr int64_t kPageBytes = 4096;
constexpr uint64_t kJournalAtOnce = 4096;

}  // namespace

// A change in the making.
struct Index::Draft {
  Change change;
  int64_t age = 0;
  int64_t time = 0;
  int64_t last_spool_id = 0;
  int64_t last_inbox_id = 0;
  uint64_t last_journal_id = 0;
  std::map<QueueId, uint64_t> last;      // entry of the spool
  std::map<QueueId, size_t> open_spool;  // segment being filled
  std::map<QueueId, size_t> open_inbox;  // segment being filled
  std::map<QueueId, uint64_t> trims;
  std::map<QueueId, InboxWindow> windows;
};

Change Index::Plan(const std::vector<const StoreBatch*>& batches, int64_t age,
                   int64_t time) const {
  Draft draft;
  draft.age = std::max(age, greatest_age_);
  draft.time = time;
  draft.last_spool_id = last_spool_id_;
  draft.last_inbox_id = last_inbox_id_;
  draft.last_journal_id = last_journal_id_;
  draft.change.journal_trim = journal_trim_;
  for (const StoreBatch* batch : batches) {
    draft.change.results.emplace_back();
    PlanSpool(*batch, &draft);
    PlanInbox(*batch, &draft);
    PlanRest(*batch, &draft);
  }
  PlanDrops(&draft);
  return std::move(draft.change);
}

void Index::PlanSpool(const StoreBatch& batch, Draft* draft) const {
  std::vector<Appended>& appended = draft->change.results.back().appended;
  for (const StoreBatch::Run& run : batch.appends()) {
    uint64_t& last =
        draft->last.try_emplace(run.queue, Find(run.queue)->last).first->second;
    const int64_t cost = static_cast<int64_t>(run.packed.size()) +
                         static_cast<int64_t>(run.count) *
                             (StoreBatch::kEntryOverhead - int64_t{kSpoolHead});
    const auto open = draft->open_spool.find(run.queue);
    Change::Spooled* into = nullptr;
    if (open != draft->open_spool.end() &&
        draft->change.spooled[open->second].segment.cost + cost <=
            options_.segment_bytes) {
      into = &draft->change.spooled[open->second];
    } else {
      draft->open_spool[run.queue] = draft->change.spooled.size();
      into = &draft->change.spooled.emplace_back();
      into->queue = run.queue;
      into->segment = {.id = ++draft->last_spool_id,
                       .prev = last,
                       .first = last + 1,
                       .count = 0,
                       .cost = 0};
    }
    into->parts.push_back(run.packed);
    into->segment.count += run.count;
    into->segment.cost += cost;
    if (!appended.empty() && appended.back().queue == run.queue) {
      appended.back().count += run.count;
    } else {
      appended.push_back(
          {.queue = run.queue, .first = last + 1, .count = run.count});
    }
    last += run.count;
  }
}

void Index::PlanInbox(const StoreBatch& batch, Draft* draft) const {
  for (const StoreBatch::Run& run : batch.inbox()) {
    const Queue* queue = Find(run.queue);
    const auto open = draft->open_inbox.find(run.queue);
    size_t at = 0;
    if (open != draft->open_inbox.end() &&
        static_cast<int64_t>(
            draft->change.inbox[open->second].segment.data.size()) <
            options_.segment_bytes) {
      at = open->second;
    } else {
      at = draft->change.inbox.size();
      draft->open_inbox[run.queue] = at;
      draft->change.inbox.push_back(
          {.queue = run.queue,
           .segment = {.id = 0, .age = draft->age, .count = 0, .data = {}}});
    }
    InboxSegment* into = &draft->change.inbox[at].segment;
    std::string_view packed = run.packed;
    uint64_t digest = 0;
    std::string_view id;
    while (UnpackInbox(&packed, &digest, &id)) {
      if (queue->ids.contains(ToAbsl(id))) continue;
      PackInbox(digest, id, &into->data);
      ++into->count;
    }
  }
}

void Index::PlanRest(const StoreBatch& batch, Draft* draft) const {
  Change& change = draft->change;
  for (const auto& [queue, through] : batch.trims()) {
    uint64_t& trimmed = draft->trims[queue];
    trimmed = std::max(trimmed, through);
  }
  for (const auto& [queue, window] : batch.evictions()) {
    InboxWindow& all = draft->windows[queue];
    all.age = std::min(all.age, window.age);
    all.ids = std::min(all.ids, window.ids);
  }
  for (const auto& [queue, record] : batch.generations()) {
    change.queues.try_emplace(queue, Find(queue)->row)
        .first->second.generation = record;
  }
  for (const StoreBatch::JournalText& text : batch.journal()) {
    change.journal.push_back({.id = ++draft->last_journal_id,
                              .time = draft->time,
                              .kind = text.kind,
                              .json = text.json});
  }
  change.journal_trim =
      std::max(change.journal_trim, batch.journal_trim().value_or(0));
}

void Index::PlanDrops(Draft* draft) const {
  Change& change = draft->change;
  const auto at_once = static_cast<size_t>(
      std::min(options_.commit_bytes / kPageBytes, kDropsAtOnce));
  std::erase_if(change.inbox,
                [](const auto& taken) { return taken.segment.count == 0; });
  for (Change::Taken& taken : change.inbox) {
    taken.segment.id = ++draft->last_inbox_id;
  }
  for (const Drop& drop : spool_drops_) {
    if (change.spool_drops.size() == at_once) break;
    change.spool_drops.push_back(drop.id);
  }
  for (const Drop& drop : inbox_drops_) {
    if (change.inbox_drops.size() == at_once) break;
    change.inbox_drops.push_back(drop.id);
  }
  for (const auto& [queue, through] : draft->trims) {
    const Queue* of = Find(queue);
    if (through <= of->row.trimmed) continue;
    change.queues.try_emplace(queue, of->row).first->second.trimmed = through;
    for (const SpoolSegment& segment : of->spool) {
      if (segment.last() > through) break;
      ++change.leaving[queue].spool;
      if (change.spool_drops.size() < at_once) {
        change.spool_drops.push_back(segment.id);
      }
    }
  }
  for (const auto& [queue, window] : draft->windows) {
    const Queue* of = Find(queue);
    int64_t left = of->inbox_ids;
    for (const InboxSegment& segment : of->inbox) {
      const bool old =
          absl::Milliseconds(draft->age - segment.age) > window.age;
      if (!old && left <= window.ids) break;
      left -= static_cast<int64_t>(segment.count);
      ++change.leaving[queue].inbox;
      if (change.inbox_drops.size() < at_once) {
        change.inbox_drops.push_back(segment.id);
      }
    }
  }
  change.journal_drop = JournalDrop(change.journal_trim);
}

// The number through which entries go now; 0: none.
uint64_t Index::JournalDrop(uint64_t trim) const {
  if (first_journal_id_ == 0) return 0;
  // The newest stays: numbers go on from it when the file is opened again.
  const uint64_t through = std::min(
      {trim, last_journal_id_ - 1, first_journal_id_ + kJournalAtOnce - 1});
  return through >= first_journal_id_ ? through : 0;
}

void Index::Take(Change change, const std::vector<const StoreBatch*>& batches) {
  for (auto& [queue, row] : change.queues) Find(queue)->row = std::move(row);
  for (const auto& [queue, leaving] : change.leaving) {
    Leave(Find(queue), leaving);
  }
  // What was dropped was first in line, old rows before those of `leaving`.
  for (size_t i = 0; i < change.spool_drops.size(); ++i) {
    held_.spool_bytes -= spool_drops_.front().cost;
    spool_drops_.pop_front();
  }
  for (size_t i = 0; i < change.inbox_drops.size(); ++i) {
    inbox_drops_.pop_front();
  }
  for (Change::Spooled& spooled : change.spooled) {
    Queue* of = Find(spooled.queue);
    of->last = spooled.segment.last();
    last_spool_id_ = spooled.segment.id;
    held_.spool_bytes += spooled.segment.cost;
    held_.spool_entries += static_cast<int64_t>(spooled.segment.count);
    of->spool.push_back(spooled.segment);
  }
  for (Change::Taken& taken : change.inbox) {
    TakeInbox(taken.queue, std::move(taken.segment));
  }
  journal_trim_ = change.journal_trim;
  held_.journal_bytes -= change.journal_freed;
  if (change.journal_drop != 0) {
    first_journal_id_ = change.journal_drop + 1;
  }
  for (const JournalRow& row : change.journal) AddJournal(row);
  for (const StoreBatch* batch : batches) Refuse(*batch);
}

void Index::TakeInbox(QueueId queue, InboxSegment segment) {
  Queue* of = Find(queue);
  last_inbox_id_ = segment.id;
  greatest_age_ = std::max(greatest_age_, segment.age);
  const auto count = static_cast<int64_t>(segment.count);
  of->inbox_ids += count;
  held_.inbox_ids += count;
  of->inbox.push_back(std::move(segment));
  std::string_view packed = of->inbox.back().data;
  uint64_t digest = 0;
  std::string_view id;
  while (UnpackInbox(&packed, &digest, &id)) {
    of->ids.try_emplace(ToAbsl(id), digest);
  }
}

void Index::Leave(Queue* queue, const Change::Leaving& leaving) {
  for (uint64_t i = 0; i < leaving.spool; ++i) {
    const SpoolSegment& segment = queue->spool.front();
    spool_drops_.push_back({segment.id, segment.cost});
    held_.spool_entries -= static_cast<int64_t>(segment.count);
    queue->spool.pop_front();
  }
  for (uint64_t i = 0; i < leaving.inbox; ++i) {
    const InboxSegment& segment = queue->inbox.front();
    inbox_drops_.push_back({segment.id, 0});
    std::string_view packed = segment.data;
    uint64_t digest = 0;
    std::string_view id;
    while (UnpackInbox(&packed, &digest, &id)) {
      // One that came twice may lie in another segment.
      const auto it = queue->ids.find(ToAbsl(id));
      if (it != queue->ids.end() && it->first.data() == id.data()) {
        queue->ids.erase(it);
      }
    }
    queue->inbox_ids -= static_cast<int64_t>(segment.count);
    held_.inbox_ids -= static_cast<int64_t>(segment.count);
    queue->inbox.pop_front();
  }
}

bool Index::HasDrops() const {
  return !spool_drops_.empty() || !inbox_drops_.empty() ||
         JournalDrop(journal_trim_) != 0;
}

}  // namespace tieline::inline v0::store
