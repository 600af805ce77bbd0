#include "adapters/kafka/asks.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "adapters/kafka/errors.h"
#include "adapters/kafka/record.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

struct FreeMore {
  void operator()(const rd_kafka_metadata_t* p) const {
    rd_kafka_metadata_destroy(p);
  }
  void operator()(rd_kafka_AdminOptions_t* p) const {
    rd_kafka_AdminOptions_destroy(p);
  }
  void operator()(rd_kafka_NewTopic_t* p) const {
    rd_kafka_NewTopic_destroy(p);
  }
  void operator()(rd_kafka_DeleteTopic_t* p) const {
    rd_kafka_DeleteTopic_destroy(p);
  }
  void operator()(rd_kafka_ConfigResource_t* p) const {
    rd_kafka_ConfigResource_destroy(p);
  }
  void operator()(rd_kafka_ListConsumerGroupOffsets_t* p) const {
    rd_kafka_ListConsumerGroupOffsets_destroy(p);
  }
};
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, FreeMore>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, FreeMore>;

// Short enough to notice `stop`.
constexpr int kSliceMs = 500;

absl::Status GivenUp(const Patience& patience, std::string_view what,
                     rd_kafka_resp_err_t last) {
  if (patience.stop != nullptr && patience.stop->load()) {
    return absl::CancelledError("the connection was closed");
  }
  return StatusOf(
      last == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR__TIMED_OUT : last,
      what);
}

// Of one topic, or of all when `topic` is null.
absl::StatusOr<Metadata> Fetch(const Client& client, const char* topic,
                               const Patience& patience) {
  Owned<rd_kafka_topic_t> only;
  if (topic != nullptr) {
    only.reset(rd_kafka_topic_new(client.rk(), topic, nullptr));
  }
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  while (!patience.over()) {
    const rd_kafka_metadata_t* metadata = nullptr;
    error = rd_kafka_metadata(client.rk(), topic == nullptr ? 1 : 0, only.get(),
                              &metadata, patience.LeftMs(kSliceMs));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Metadata(metadata);
    if (CodeOf(error) != absl::StatusCode::kUnavailable) break;
  }
  return GivenUp(patience, "metadata", error);
}

// Waits for the one event that an administrative call answers with.
absl::StatusOr<Owned<rd_kafka_event_t>> Await(rd_kafka_queue_t* queue,
                                              std::string_view what,
                                              const Patience& patience) {
  while (!patience.over()) {
    Owned<rd_kafka_event_t> event(
        rd_kafka_queue_poll(queue, patience.LeftMs(kSliceMs)));
    if (event == nullptr) continue;
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    return MakeStatus(CodeOf(error), "{}: {}", what,
                      rd_kafka_event_error_string(event.get()));
  }
  return GivenUp(patience, what, RD_KAFKA_RESP_ERR_NO_ERROR);
}

Options OptionsFor(const Client& client, rd_kafka_admin_op_t op,
                   const Patience& patience) {
  Options options(rd_kafka_AdminOptions_new(client.rk(), op));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), patience.LeftMs(),
                                            nullptr, 0);
  return options;
}

absl::Status OfTopics(const rd_kafka_topic_result_t* const* results,
                      size_t count, std::string_view what) {
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    return MakeStatus(CodeOf(error), "{} {}: {}", what,
                      rd_kafka_topic_result_name(results[i]),
                      text == nullptr ? rd_kafka_err2str(error) : text);
  }
  return absl::OkStatus();
}

// 0 when the broker does not tell (no right to ask, for one).
uint64_t MaxMessageBytes(const Client& client, const std::string& topic,
                         const Patience& patience) {
  const std::unique_ptr<rd_kafka_ConfigResource_t, FreeMore> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client.rk()));
  const Options options =
      OptionsFor(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, patience);
  std::array<rd_kafka_ConfigResource_t*, 1> resources{resource.get()};
  rd_kafka_DescribeConfigs(client.rk(), resources.data(), 1, options.get(),
                           queue.get());
  const auto event = Await(queue.get(), "describe configs", patience);
  if (!event.ok()) return 0;
  size_t count = 0;
  const rd_kafka_ConfigResource_t** described =
      rd_kafka_DescribeConfigs_result_resources(
          rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  if (count == 0) return 0;
  size_t entries = 0;
  const rd_kafka_ConfigEntry_t** list =
      rd_kafka_ConfigResource_configs(described[0], &entries);
  for (size_t i = 0; i < entries; ++i) {
    if (std::string_view(rd_kafka_ConfigEntry_name(list[i])) !=
        "max.message.bytes") {
      continue;
    }
    const char* value = rd_kafka_ConfigEntry_value(list[i]);
    return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
  }
  return 0;
}

const std::string& GroupOf(const QueueConfig& queue) {
  static const std::string default_group(kDefaultGroup);
  return queue.group.empty() ? default_group : queue.group;
}

struct Range {
  int64_t low = 0;
  int64_t high = 0;
};

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
    const rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(client.rk(), queue.entity.c_str(), p,
                                         &r.low, &r.high, patience.LeftMs());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return StatusOf(error, "offsets of topic " + queue.entity);
    }
  }
  return ranges;
}

// -1 where the group has committed nothing.
absl::StatusOr<std::vector<int64_t>> Committed(const Client& client,
                                               const QueueConfig& queue,
                                               size_t partitions,
                                               const Patience& patience) {
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions)));
  for (size_t p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(),
                                      static_cast<int32_t>(p));
  }
  const std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, FreeMore> asked(
      rd_kafka_ListConsumerGroupOffsets_new(GroupOf(queue).c_str(),
                                            list.get()));
  const Owned<rd_kafka_queue_t> replies(rd_kafka_queue_new(client.rk()));
  const Options options =
      OptionsFor(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, patience);
  std::array<rd_kafka_ListConsumerGroupOffsets_t*, 1> asks{asked.get()};
  rd_kafka_ListConsumerGroupOffsets(client.rk(), asks.data(), 1, options.get(),
                                    replies.get());
  TIELINE_ASSIGN_OR_RETURN(
      const Owned<rd_kafka_event_t> event,
      Await(replies.get(), "offsets of group " + GroupOf(queue), patience));
  size_t count = 0;
  const rd_kafka_group_result_t** groups =
      rd_kafka_ListConsumerGroupOffsets_result_groups(
          rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
  std::vector<int64_t> offsets(partitions, -1);
  for (size_t g = 0; g < count; ++g) {
    if (const rd_kafka_error_t* error = rd_kafka_group_result_error(groups[g]);
        error != nullptr) {
      return StatusOf(rd_kafka_error_code(error),
                      "offsets of group " + GroupOf(queue));
    }
    const rd_kafka_topic_partition_list_t* of =
        rd_kafka_group_result_partitions(groups[g]);
    for (int i = 0; of != nullptr && i < of->cnt; ++i) {
      const auto p = static_cast<size_t>(of->elems[i].partition);
      if (p < partitions) offsets[p] = of->elems[i].offset;
    }
  }
  return offsets;
}

}  // namespace

int Patience::LeftMs(int most) const {
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  return static_cast<int>(std::clamp<int64_t>(left, 1, most));
}

bool Patience::over() const {
  return (stop != nullptr && stop->load(std::memory_order_relaxed)) ||
         absl::Now() >= deadline;
}

absl::Status Ping(const Client& client, const Patience& patience) {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  while (!patience.over()) {
    const rd_kafka_metadata_t* metadata = nullptr;
    error = rd_kafka_metadata(client.rk(), 0, nullptr, &metadata,
                              patience.LeftMs(kSliceMs));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      return absl::OkStatus();
    }
  }
  return GivenUp(patience, "no answer", error);
}

absl::StatusOr<TopicInfo> LookUpTopic(const Client& client,
                                      const QueueConfig& queue,
                                      const Patience& patience) {
  bool created = false;
  for (;;) {
    TIELINE_ASSIGN_OR_RETURN(const Metadata metadata,
                             Fetch(client, queue.entity.c_str(), patience));
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    TopicInfo info;
    if (metadata->topic_cnt == 1) {
      error = metadata->topics[0].err;
      info.partitions = metadata->topics[0].partition_cnt;
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && info.partitions > 0) {
      info.max_message_bytes = MaxMessageBytes(client, queue.entity, patience);
      return info;
    }
    const bool missing = CodeOf(error) == absl::StatusCode::kNotFound;
    if (missing && queue.create && !created) {
      TIELINE_RETURN_IF_ERROR(CreateTopic(client, queue, patience));
      created = true;
    }
    // Right after its creation, or while its leader changes, a topic may be
    // known to some brokers only.
    const bool passing =
        CodeOf(error) == absl::StatusCode::kUnavailable || created;
    if (!passing || patience.over()) {
      return StatusOf(error, "queue " + queue.name + ", topic " + queue.entity);
    }
  }
}

absl::Status CreateTopic(const Client& client, const QueueConfig& queue,
                         const Patience& patience) {
  std::array<char, 512> error{};
  const std::unique_ptr<rd_kafka_NewTopic_t, FreeMore> topic(
      rd_kafka_NewTopic_new(queue.entity.c_str(),
                            queue.partitions > 0 ? queue.partitions : -1, -1,
                            error.data(), error.size()));
  if (topic == nullptr) {
    return InvalidArgument("topic {}: {}", queue.entity, error.data());
  }
  const Owned<rd_kafka_queue_t> replies(rd_kafka_queue_new(client.rk()));
  const Options options =
      OptionsFor(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, patience);
  std::array<rd_kafka_NewTopic_t*, 1> topics{topic.get()};
  rd_kafka_CreateTopics(client.rk(), topics.data(), 1, options.get(),
                        replies.get());
  TIELINE_ASSIGN_OR_RETURN(const Owned<rd_kafka_event_t> event,
                           Await(replies.get(), "create topic", patience));
  size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(
      rd_kafka_event_CreateTopics_result(event.get()), &count);
  const absl::Status status = OfTopics(results, count, "create topic");
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status DeleteTopic(const Client& client, const std::string& topic,
                         const Patience& patience) {
  const std::unique_ptr<rd_kafka_DeleteTopic_t, FreeMore> one(
      rd_kafka_DeleteTopic_new(topic.c_str()));
  const Owned<rd_kafka_queue_t> replies(rd_kafka_queue_new(client.rk()));
  const Options options =
      OptionsFor(client, RD_KAFKA_ADMIN_OP_DELETETOPICS, patience);
  std::array<rd_kafka_DeleteTopic_t*, 1> topics{one.get()};
  rd_kafka_DeleteTopics(client.rk(), topics.data(), 1, options.get(),
                        replies.get());
  TIELINE_ASSIGN_OR_RETURN(const Owned<rd_kafka_event_t> event,
                           Await(replies.get(), "delete topic", patience));
  size_t count = 0;
  const auto* results = rd_kafka_DeleteTopics_result_topics(
      rd_kafka_event_DeleteTopics_result(event.get()), &count);
  return OfTopics(results, count, "delete topic");
}

absl::StatusOr<std::vector<driver::EntityInfo>> ListTopics(
    const Client& client, const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const Metadata metadata,
                           Fetch(client, nullptr, patience));
  std::vector<driver::EntityInfo> list;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    // The brokers' own.
    if (std::string_view(topic.topic).starts_with("__")) continue;
    list.push_back({topic.topic, "topic", -1, topic.partition_cnt});
  }
  return list;
}

absl::StatusOr<std::vector<int64_t>> EndOffsets(const Client& client,
                                                const QueueConfig& queue,
                                                const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(client, queue, patience));
  std::vector<int64_t> ends;
  for (const Range& r : ranges) ends.push_back(r.high);
  return ends;
}

absl::StatusOr<int64_t> Depth(const Client& client, const QueueConfig& queue,
                              const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(client, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> committed,
                           Committed(client, queue, ranges.size(), patience));
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

absl::StatusOr<std::vector<driver::Inbound>> Peek(const Settings& settings,
                                                  const Client& control,
                                                  const QueueConfig& queue,
                                                  int64_t from, uint32_t max,
                                                  const Patience& patience) {
  TIELINE_ASSIGN_OR_RETURN(const std::vector<Range> ranges,
                           Ranges(control, queue, patience));
  TIELINE_ASSIGN_OR_RETURN(const ClientRef client,
                           Client::Make(RD_KAFKA_CONSUMER, settings, 0));
  rd_kafka_poll_set_consumer(client->rk());
  Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  uint64_t there = 0;
  for (size_t p = 0; p < ranges.size(); ++p) {
    const int64_t begin = std::max(from, ranges[p].low);
    if (begin >= ranges[p].high) continue;
    there += static_cast<uint64_t>(ranges[p].high - begin);
    rd_kafka_topic_partition_list_add(list.get(), queue.entity.c_str(),
                                      static_cast<int32_t>(p))
        ->offset = begin;
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
  while (open > 0 && found.size() < max && !patience.over()) {
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
