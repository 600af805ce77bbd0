// The rare operations that ask for offsets or read by them.
#include "adapters/kafka/offsets.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "adapters/kafka/admin.h"
#include "adapters/kafka/errors.h"
#include "adapters/kafka/record.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {

const std::string& GroupOf(const QueueConfig& queue) {
  static const std::string default_group(kDefaultGroup);
  return queue.group.empty() ? default_group : queue.group;
}

absl::StatusOr<std::vector<Range>> Ranges(const Client& client,
                                          const QueueConfig& queue,
                                          const Patience& patience) {
  QueueConfig as_it_is = queue;
  as_it_is.create = false;
  TIELINE_ASSIGN_OR_RETURN(const TopicInfo info,
                           LookUpTopic(client, as_it_is, patience));
  std::vector<Range> ranges(static_cast<size_t>(info.partitions));
  for (int32_t p = 0; p < info.partitions; ++p) {
    Range& r = ranges[static_cast<size_t>(p)];
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (;;) {
      error =
          rd_kafka_query_watermark_offsets(client.rk(), queue.entity.c_str(), p,
                                           &r.low, &r.high, patience.LeftMs());
      if (CodeOf(error) != absl::StatusCode::kUnavailable || patience.over()) {
        break;
      }
      // A leader that is new, as after creation: the client looks it up.
      TIELINE_RETURN_IF_ERROR(LookUpTopic(client, as_it_is, patience).status());
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return StatusOf(error, "offsets of topic " + queue.entity);
    }
  }
  return ranges;
}

namespace {

absl::StatusOr<std::vector<int64_t>> AskCommitted(const Client& client,
                                                  const QueueConfig& queue,
                                                  size_t partitions,
                                                  const Patience& patience) {
  const Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions)));
  for (size_t p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(),
                                      static_cast<int32_t>(p));
  }
  const std::string what = "offsets of group " + GroupOf(queue);
  TIELINE_RETURN_IF_ERROR(StatusOf(
      rd_kafka_committed(client.rk(), list.get(), patience.LeftMs()), what));
  std::vector<int64_t> offsets(partitions, -1);
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& of = list->elems[i];
    TIELINE_RETURN_IF_ERROR(StatusOf(of.err, what));
    offsets[static_cast<size_t>(of.partition)] =
        std::max<int64_t>(of.offset, -1);
  }
  return offsets;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> Committed(GroupClients& groups,
                                               const QueueConfig& queue,
                                               size_t partitions,
                                               const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const ClientRef client, groups.Of(GroupOf(queue)));
  return AskCoordinator(*client.get(), patience, [&] {
    return AskCommitted(*client.get(), queue, partitions, patience);
  });
}

absl::StatusOr<std::vector<int64_t>> EndOffsets(const Client& client,
                                                const QueueConfig& queue,
                                                const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(client, queue, patience));
  std::vector<int64_t> ends;
  ends.reserve(ranges.size());
  for (const Range& r : ranges) ends.push_back(r.high);
  return ends;
}

absl::StatusOr<int64_t> Depth(const Client& client, GroupClients& groups,
                              const QueueConfig& queue,
                              const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(client, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> committed,
                           Committed(groups, queue, ranges.size(), patience));
  const auto start = ParseStart(queue.start);
  const bool latest = start.ok() && start->kind == Start::Kind::kLatest;
  int64_t depth = 0;
  for (size_t p = 0; p < ranges.size(); ++p) {
    const int64_t begin = committed[p] >= 0 ? committed[p]
                          : latest          ? ranges[p].high
                                            : ranges[p].low;
    depth +=
        std::max<int64_t>(ranges[p].high - std::max(begin, ranges[p].low), 0);
  }
  return depth;
}

namespace {

// Where to peek in each partition.
absl::StatusOr<std::vector<int64_t>> PeekFrom(GroupClients& groups,
                                              const driver::Request& request,
                                              const std::vector<Range>& ranges,
                                              const Patience& patience) {
  std::vector<int64_t> from(ranges.size(), request.from);
  const size_t named = std::min(from.size(), request.numbers.size());
  std::copy_n(request.numbers.begin(), named, from.begin());
  const auto is_negative = [](int64_t offset) { return offset < 0; };
  if (std::any_of(from.begin(), from.end(), is_negative)) {
    TIELINE_ASSIGN_OR_RETURN(
        const std::vector<int64_t> committed,
        Committed(groups, request.queue, from.size(), patience));
    for (size_t p = 0; p < from.size(); ++p) {
      if (from[p] < 0) from[p] = committed[p];
    }
  }
  for (size_t p = 0; p < from.size(); ++p) {
    from[p] = std::max(from[p], ranges[p].low);
  }
  return from;
}

}  // namespace

absl::StatusOr<std::vector<driver::Inbound>> Peek(
    const Settings& settings, const Client& control, GroupClients& groups,
    const driver::Request& request, const Patience& patience) {
  const QueueConfig& queue = request.queue;
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(control, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> from,
                           PeekFrom(groups, request, ranges, patience));
  TIELINE_ASSIGN_OR_RETURN(const ClientRef client,
                           Client::Make(RD_KAFKA_CONSUMER, settings, 0));
  rd_kafka_poll_set_consumer(client->rk());
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  uint64_t there = 0;
  for (size_t p = 0; p < ranges.size(); ++p) {
    if (from[p] >= ranges[p].high) continue;
    there += static_cast<uint64_t>(ranges[p].high - from[p]);
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(),
                                      static_cast<int32_t>(p))
        ->offset = from[p];
  }
  std::vector<driver::Inbound> found;
  if (there == 0) return found;
  rd_kafka_assign(client->rk(), list.get());
  // Offsets have holes: the end is known by the last offset of each partition.
  std::vector<bool> done(ranges.size(), true);
  size_t open = static_cast<size_t>(list->cnt);
  for (int i = 0; i < list->cnt; ++i) {
    done[static_cast<size_t>(list->elems[i].partition)] = false;
  }
  while (open > 0 && found.size() < request.max && !patience.over()) {
    rd_kafka_message_t* record =
        rd_kafka_consumer_poll(client->rk(), patience.LeftMs(kSliceMs));
    if (record == nullptr) continue;
    if (record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
        record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const auto p = static_cast<size_t>(record->partition);
      const int64_t next =
          record->offset + (record->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0);
      if (p < done.size() && !done[p] &&
          (next >= ranges[p].high ||
           record->err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
        done[p] = true;
        --open;
      }
    }
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_message_destroy(record);
      continue;
    }
    driver::Inbound& in = found.emplace_back();
    in.position = record->offset;
    in.token.lane = driver::Lane{static_cast<uint32_t>(record->partition)};
    client->Ref();
    in.message = MessageFrom(record);
  }
  if (found.empty() && open > 0 && request.max > 0) {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                      "topic {}: its records did not come in time",
                      queue.entity);
  }
  return found;
}

absl::StatusOr<std::vector<int64_t>> StartOffsets(
    const Client& client, const std::string& topic,
    const std::vector<int32_t>& partitions, const Start& start, bool committed,
    const Patience& patience) {
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const int32_t p : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p);
  }
  std::vector<int64_t> offsets(partitions.size(), RD_KAFKA_OFFSET_INVALID);
  if (committed) {
    const rd_kafka_resp_err_t error =
        rd_kafka_committed(client.rk(), list.get(), patience.LeftMs());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return StatusOf(error, "committed offsets of topic " + topic);
    }
    for (size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] = list->elems[i].offset;
    }
  }
  if (start.kind == Start::Kind::kTime) {
    for (int i = 0; i < list->cnt; ++i) {
      list->elems[i].offset = absl::ToUnixMillis(start.time);
    }
    const rd_kafka_resp_err_t error =
        rd_kafka_offsets_for_times(client.rk(), list.get(), patience.LeftMs());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return StatusOf(error, "offsets of topic " + topic + " by time");
    }
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] >= 0) continue;
    switch (start.kind) {
      case Start::Kind::kEarliest:
        offsets[i] = RD_KAFKA_OFFSET_BEGINNING;
        break;
      case Start::Kind::kLatest:
        offsets[i] = RD_KAFKA_OFFSET_END;
        break;
      case Start::Kind::kOffset:
        offsets[i] = start.offset;
        break;
      case Start::Kind::kTime:
        offsets[i] = list->elems[i].offset;  // or the end, past the last one
        break;
    }
  }
  return offsets;
}

}  // namespace kafka
}  // namespace tieline::inline v0
