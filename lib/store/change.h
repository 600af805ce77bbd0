// Change: the rows that one transaction writes and drops.
#ifndef TIELINE_LIB_STORE_CHANGE_H_
#define TIELINE_LIB_STORE_CHANGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/store/batch.h"

namespace tieline::inline v0::store {

// A row of `queues`.
struct QueueRow {
  std::string name;
  uint64_t trimmed = 0;
  GenerationRecord generation;
};

// A row of `spool`, without its data.
struct SpoolSegment {
  int64_t id = 0;
  uint64_t prev = 0;
  uint64_t first = 0;
  uint64_t count = 0;
  int64_t cost = 0;  // against StoreOptions::spool_bytes

  uint64_t last() const { return first + count - 1; }
};

// A row of `inbox`. `data` is what the index of ids points into.
struct InboxSegment {
  int64_t id = 0;
  int64_t age = 0;  // milliseconds that the file had been open by then
  uint64_t count = 0;
  std::string data;
};

struct JournalRow {
  uint64_t id = 0;
  int64_t time = 0;  // microseconds since 1970
  std::string_view kind;
  std::string_view json;
};

struct Change {
  struct Spooled {
    QueueId queue;
    SpoolSegment segment;
    std::vector<std::string_view> parts;  // of its data
  };
  struct Taken {
    QueueId queue;
    InboxSegment segment;
  };
  // How many segments at the front of a queue go.
  struct Leaving {
    uint64_t spool = 0;
    uint64_t inbox = 0;
  };

  std::vector<Spooled> spooled;
  std::vector<Taken> inbox;
  std::map<QueueId, QueueRow> queues;
  std::map<QueueId, Leaving> leaving;
  std::vector<JournalRow> journal;
  uint64_t journal_trim = 0;  // the highest that was asked for
  // Rows to drop now, by their ids; the journal's up to and with this one.
  std::vector<int64_t> spool_drops;
  std::vector<int64_t> inbox_drops;
  uint64_t journal_drop = 0;

  // What became of each batch.
  std::vector<StoreCommitted> results;
  // Filled when it is written: bytes of journal entries that were dropped.
  int64_t journal_freed = 0;

  bool empty() const {
    return spooled.empty() && inbox.empty() && queues.empty() &&
           journal.empty() && leaving.empty() && spool_drops.empty() &&
           inbox_drops.empty() && journal_drop == 0;
  }
};

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_CHANGE_H_
