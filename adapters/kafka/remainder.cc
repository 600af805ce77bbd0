#include "adapters/kafka/remainder.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <vector>

#include "adapters/kafka/admin.h"
#include "adapters/kafka/errors.h"
#include "adapters/kafka/offsets.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// Where each partition begins for a group that has no position there.
absl::StatusOr<std::vector<int64_t>> Begins(const Remainder& by,
                                            const QueueConfig& queue,
                                            const std::vector<Range>& ranges,
                                            const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const Start start, ParseStart(queue.start));
  std::vector<int64_t> begins;
  begins.reserve(ranges.size());
  std::vector<int64_t> by_time;
  if (start.kind == Start::Kind::kTime) {
    std::vector<int32_t> all(ranges.size());
    std::iota(all.begin(), all.end(), 0);
    TIELINE_ASSIGN_OR_RETURN(by_time, StartOffsets(by.client, queue.entity, all,
                                                   start, false, patience));
  }
  for (size_t p = 0; p < ranges.size(); ++p) {
    const Range& range = ranges[p];
    int64_t begin = range.low;
    if (start.kind == Start::Kind::kLatest) begin = range.high;
    if (start.kind == Start::Kind::kOffset) begin = start.offset;
    if (start.kind == Start::Kind::kTime) {
      begin = by_time[p] < 0 ? range.high : by_time[p];
    }
    // Readers that are sent out of range begin at the beginning.
    const bool within = begin >= range.low && begin <= range.high;
    begins.push_back(within ? begin : range.low);
  }
  return begins;
}

// Where the group goes on. One that had committed in an earlier topic of that
// name begins anew.
std::vector<int64_t> Positions(const std::vector<int64_t>& committed,
                               const std::vector<int64_t>& begins,
                               const std::vector<Range>& ranges) {
  std::vector<int64_t> positions(begins);
  for (size_t p = 0; p < positions.size(); ++p) {
    const bool has = committed[p] >= 0 && committed[p] <= ranges[p].high;
    if (has) positions[p] = committed[p];
  }
  return positions;
}

// What is there to be read, in all partitions, from `begins` on.
absl::StatusOr<int64_t> Count(const Remainder& by, const QueueConfig& queue,
                              const std::vector<Range>& ranges,
                              const std::vector<int64_t>& begins,
                              const Patience& patience) {
  std::vector<Stretch> stretches;
  int64_t count = 0;
  int64_t longest = 0;
  for (size_t p = 0; p < ranges.size(); ++p) {
    const int64_t begin = std::max(begins[p], ranges[p].low);
    if (begin >= ranges[p].high) continue;
    stretches.push_back({static_cast<int32_t>(p), begin, ranges[p].high});
    count += ranges[p].high - begin;
    longest = std::max(longest, ranges[p].high - begin);
  }
  if (longest > kMostToRead) return count;
  std::vector<Stretch> unknown;
  for (const Stretch& s : stretches) {
    const auto first = by.found->Find(queue.entity, s, absl::Now());
    if (!first.has_value()) {
      unknown.push_back(s);
    } else {
      count -= *first - s.begin;
    }
  }
  TIELINE_ASSIGN_OR_RETURN(
      const std::vector<int64_t> firsts,
      FirstRecords(by.reader, queue.entity, unknown, patience));
  for (size_t i = 0; i < unknown.size(); ++i) {
    by.found->Add(queue.entity, unknown[i], firsts[i], absl::Now());
    count -= firsts[i] - unknown[i].begin;
  }
  return count;
}

// Without being a member of the group: kAborted where it has some.
absl::Status CommitFor(GroupClients& groups, const std::string& group,
                       const rd_kafka_topic_partition_list_t* list,
                       const Patience& patience) {
  const std::string what = "fixing the start of group " + group;
  TIELINE_ASSIGN_OR_RETURN(const ClientRef client, groups.Of(group));
  const Owned<rd_kafka_queue_t> replies(rd_kafka_queue_new(client->rk()));
  return AskCoordinator(*client.get(), patience, [&]() -> absl::Status {
    TIELINE_RETURN_IF_ERROR(
        StatusOf(rd_kafka_commit_queue(client->rk(), list, replies.get(),
                                       nullptr, nullptr),
                 what));
    TIELINE_ASSIGN_OR_RETURN(const Owned<rd_kafka_event_t> event,
                             Await(replies.get(), what, patience));
    TIELINE_RETURN_IF_ERROR(StatusOf(rd_kafka_event_error(event.get()), what));
    const rd_kafka_topic_partition_list_t* done =
        rd_kafka_event_topic_partition_list(event.get());
    for (int i = 0; done != nullptr && i < done->cnt; ++i) {
      TIELINE_RETURN_IF_ERROR(StatusOf(done->elems[i].err, what));
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<int64_t> Undrained(const Remainder& by, const QueueConfig& queue,
                                  const Patience& patience) {
  // Ends before positions: what was below an end and is below the position
  // later was settled.
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(by.client, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(
      const std::vector<int64_t> committed,
      Committed(by.groups, queue, ranges.size(), patience));
  QueueConfig as_read = queue;
  if (as_read.start == "latest") as_read.start = "earliest";
  TIELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> begins,
                           Begins(by, as_read, ranges, patience));
  return Count(by, queue, ranges, Positions(committed, begins, ranges),
               patience);
}

absl::StatusOr<int64_t> FixStart(const Remainder& by, const QueueConfig& queue,
                                 const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(by.client, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(
      const std::vector<int64_t> committed,
      Committed(by.groups, queue, ranges.size(), patience));
  TIELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> begins,
                           Begins(by, queue, ranges, patience));
  const Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  for (size_t p = 0; p < committed.size(); ++p) {
    if (committed[p] >= 0) continue;
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(),
                                      static_cast<int32_t>(p))
        ->offset = begins[p];
  }
  if (list->cnt > 0) {
    const std::string& group = GroupOf(queue);
    const absl::Status fixed =
        CommitFor(by.groups, group, list.get(), patience);
    const bool has_members = absl::IsAborted(fixed);
    TIELINE_ASSIGN_OR_RETURN(const Start start, ParseStart(queue.start));
    if (has_members && start.kind != Start::Kind::kEarliest) {
      return MakeStatus(
          absl::StatusCode::kFailedPrecondition,
          "group {} has members, and no position in partition {} of topic {}: "
          "where it begins can't be fixed; stop them, or say start: earliest",
          group, list->elems[0].partition, queue.entity);
    }
    if (!has_members) TIELINE_RETURN_IF_ERROR(fixed);
  }
  return Count(by, queue, ranges, Positions(committed, begins, ranges),
               patience);
}

}  // namespace kafka
}  // namespace tieline::inline v0
