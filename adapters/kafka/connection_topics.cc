// KafkaConnection: what it looks up of topics for its handles.
#include <memory>
#include <numeric>
#include <utility>

#include "adapters/kafka/connection.h"
#include "adapters/kafka/receiver.h"
#include "adapters/kafka/sender.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

constexpr size_t kMaxTopics = 100000;

template <typename T>
T* FindNumber(const std::vector<T*>& list, uint64_t number) {
  for (T* one : list) {
    if (one->number() == number) return one;
  }
  return nullptr;
}

}  // namespace

void KafkaConnection::CheckTopic(Sender* sender) {
  const std::string& topic = sender->queue().entity;
  if (const auto known = known_topics_.find(topic);
      known != known_topics_.end()) {
    sender->OnChecked(absl::OkStatus(), known->second.max_message_bytes);
    WakeOnce();
    return;
  }
  const bool posted =
      Post([this, client = std::make_shared<ClientRef>(control_.Share()),
            queue = sender->queue(), number = sender->number(),
            timeout = broker_.connect_timeout](
               const std::atomic<bool>& stop) -> Background::Result {
        auto info =
            LookUpTopic(*client->get(), queue, {absl::Now() + timeout, &stop});
        return [this, info, number, topic = queue.entity] {
          if (info.ok() && known_topics_.size() < kMaxTopics) {
            known_topics_[topic] = *info;
          }
          Sender* who = FindNumber(senders_, number);
          if (who == nullptr) return;
          who->OnChecked(info.status(),
                         info.ok() ? info->max_message_bytes : 0);
        };
      });
  if (posted) return;
  sender->OnChecked(absl::ResourceExhaustedError("too many are being opened"),
                    0);
  WakeOnce();
}

void KafkaConnection::CheckTopic(Receiver* receiver) {
  const driver::ReceiverSpec& spec = receiver->spec();
  const bool posted =
      Post([this, client = std::make_shared<ClientRef>(control_.Share()),
            queue = spec.queue, browse = spec.browse,
            number = receiver->number(), timeout = broker_.connect_timeout](
               const std::atomic<bool>& stop) -> Background::Result {
        const Patience patience{absl::Now() + timeout, &stop};
        const auto info = LookUpTopic(*client->get(), queue, patience);
        absl::Status status = info.status();
        std::vector<int64_t> from;
        const auto start = ParseStart(queue.start);
        if (status.ok() && browse) {
          std::vector<int32_t> all(static_cast<size_t>(info->partitions));
          std::iota(all.begin(), all.end(), 0);
          auto offsets = StartOffsets(*client->get(), queue.entity, all,
                                      start.value_or(Start()), false, patience);
          status = offsets.status();
          if (status.ok()) from = *std::move(offsets);
        }
        const int32_t partitions = info.ok() ? info->partitions : 0;
        return [this, number, status, partitions, from] {
          Receiver* who = FindNumber(receivers_, number);
          if (who != nullptr) who->OnChecked(status, partitions, from);
        };
      });
  if (posted) return;
  receiver->OnChecked(absl::ResourceExhaustedError("too many are being opened"),
                      0, {});
  WakeOnce();
}

void KafkaConnection::AskStart(Receiver* receiver, uint32_t round,
                               const rd_kafka_topic_partition_list_t* list) {
  std::vector<int32_t> partitions;
  partitions.reserve(static_cast<size_t>(list->cnt));
  for (int i = 0; i < list->cnt; ++i) {
    partitions.push_back(list->elems[i].partition);
  }
  const auto start = ParseStart(receiver->spec().queue.start);
  const bool posted =
      Post([this, client = std::make_shared<ClientRef>(receiver->ShareClient()),
            partitions, start = start.value_or(Start()), round,
            topic = receiver->spec().queue.entity, number = receiver->number(),
            timeout = broker_.connect_timeout](
               const std::atomic<bool>& stop) -> Background::Result {
        auto from = StartOffsets(*client->get(), topic, partitions, start, true,
                                 {absl::Now() + timeout, &stop});
        return [this, number, round, from] {
          Receiver* who = FindNumber(receivers_, number);
          if (who == nullptr) return;
          who->OnStart(round, from.status(),
                       from.ok() ? *from : std::vector<int64_t>());
        };
      });
  if (!posted) {
    receiver->OnStart(round, absl::ResourceExhaustedError("too busy"), {});
  }
}

void KafkaConnection::Nudge(Receiver* receiver,
                            Owned<rd_kafka_topic_partition_list_t> list) {
  brief_.Post(
      [client = std::make_shared<ClientRef>(receiver->ShareClient()),
       asked = std::shared_ptr<rd_kafka_topic_partition_list_t>(
           std::move(list))](const std::atomic<bool>&) -> Background::Result {
        // One request to the leader of each; what they answer is of no use.
        constexpr int kTimeoutMs = 500;
        rd_kafka_offsets_for_times((*client)->rk(), asked.get(), kTimeoutMs);
        return [] {};
      });
}

}  // namespace kafka
}  // namespace tieline::inline v0
