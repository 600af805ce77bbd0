#include "adapters/kafka/asks.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "adapters/kafka/admin.h"
#include "adapters/kafka/errors.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

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

}  // namespace

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
      return StatusOf(error, "topic " + queue.entity);
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

}  // namespace kafka
}  // namespace tieline::inline v0
