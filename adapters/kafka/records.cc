#include "adapters/kafka/records.h"

#include <librdkafka/rdkafka.h>

#include <unordered_map>

#include "adapters/kafka/admin.h"
#include "adapters/kafka/client.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

struct FreeRecord {
  void operator()(rd_kafka_message_t* p) const { rd_kafka_message_destroy(p); }
};

}  // namespace

absl::StatusOr<std::vector<int64_t>> FirstRecords(
    const Settings& reader, const std::string& topic,
    const std::vector<Stretch>& stretches, const Patience& patience) {
  std::vector<int64_t> first;
  std::unordered_map<int32_t, size_t> open;  // partition -> stretch
  const Owned<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(stretches.size())));
  for (const Stretch& s : stretches) {
    open.emplace(s.partition, first.size());
    first.push_back(s.begin);
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), s.partition)
        ->offset = s.begin;
  }
  if (open.empty()) return first;
  TIELINE_ASSIGN_OR_RETURN(const ClientRef client,
                           Client::Make(RD_KAFKA_CONSUMER, reader, 0));
  rd_kafka_poll_set_consumer(client->rk());
  rd_kafka_assign(client->rk(), list.get());
  while (!open.empty() && !patience.over()) {
    const std::unique_ptr<rd_kafka_message_t, FreeRecord> record(
        rd_kafka_consumer_poll(client->rk(), patience.LeftMs(kSliceMs)));
    if (record == nullptr) continue;
    const bool at_end = record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) continue;
    const auto one = open.find(record->partition);
    if (one == open.end()) continue;
    const Stretch& stretch = stretches[one->second];
    const bool beyond = record->offset >= stretch.end;
    // An end that is before the one asked for is not to be believed.
    if (at_end && !beyond) continue;
    first[one->second] = beyond ? stretch.end : record->offset;
    open.erase(one);
  }
  return first;
}

std::optional<int64_t> FoundRecords::Find(const std::string& topic,
                                          const Stretch& stretch,
                                          absl::Time now) const {
  const auto it = found_.find({topic, stretch.partition});
  if (it == found_.end() || now >= it->second.until) return std::nullopt;
  const Found& found = it->second;
  const bool holds = found.begin <= stretch.begin &&
                     stretch.begin <= found.first && found.first < stretch.end;
  return holds ? std::optional(found.first) : std::nullopt;
}

void FoundRecords::Add(const std::string& topic, const Stretch& stretch,
                       int64_t first, absl::Time now) {
  if (first >= stretch.end) return;
  if (found_.size() >= kMost) found_.clear();
  found_[{topic, stretch.partition}] = {stretch.begin, first, now + kYoung};
}

}  // namespace kafka
}  // namespace tieline::inline v0
