// The loop that one would write by hand on librdkafka, with a route's
// guarantees: each record is produced with its key and headers, a partition is
// committed up to the first record without a delivery report, and never more
// than --credit records are on their way. From --url's topic to --to's.
#include "benchmarks/end_to_end/kafka/bare.h"

#include <array>
#include <deque>
#include <map>
#include <vector>

#include "benchmarks/end_to_end/relay/memory_use.h"

namespace {

using tieline::bench::Flags;
using tieline::bench::Stopwatch;

// The records of one partition that are on their way, in order.
struct Lane {
  int64_t first = -1;  // offset of the oldest one
  std::deque<bool> done;
  int64_t committed = -1;
};

class Relay {
 public:
  Relay(const Flags& from, const Flags& to)
      : flags_(from),
        consumer_(MakeConsumer(from)),
        producer_(MakeProducer(to)),
        queue_(rd_kafka_queue_get_consumer(consumer_)),
        topic_(rd_kafka_topic_new(producer_, to.queue.c_str(), nullptr)) {}
  ~Relay() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(producer_);
    rd_kafka_queue_destroy(queue_);
    rd_kafka_consumer_close(consumer_);
    rd_kafka_destroy(consumer_);
  }

  int Run() {
    Stopwatch watch;
    tieline::bench::MemoryUse memory;
    double committed = 0;
    std::array<rd_kafka_message_t*, 256> batch;
    bool begun = false;
    while (relayed_ + failed_ < flags_.count) {
      const bool full = in_flight_ + batch.size() > flags_.credit;
      const ssize_t n =
          full ? 0
               : rd_kafka_consume_batch_queue(queue_, in_flight_ > 0 ? 1 : 100,
                                              batch.data(), batch.size());
      if (n > 0 && !begun) {
        begun = true;
        watch = Stopwatch();
      }
      for (ssize_t i = 0; i < n; ++i) Forward(batch[static_cast<size_t>(i)]);
      rd_kafka_poll(producer_, full ? 10 : 0);
      const double now = watch.seconds();
      if (begun) memory.Sample(now);
      if (now - committed > 0.01) {
        committed = now;
        Commit();
      }
    }
    Commit();
    char more[128];
    const int length = std::snprintf(
        more, sizeof(more), ",\"rss_early_kib\":%ld,\"rss_late_kib\":%ld",
        memory.early(), memory.late());
    return Report("bare", flags_, relayed_, failed_, watch,
                  {more, static_cast<size_t>(length)});
  }

 private:
  static rd_kafka_t* MakeConsumer(const Flags& flags) {
    rd_kafka_t* rk = tieline::bench::ClientOf(
        RD_KAFKA_CONSUMER, tieline::bench::ConsumerConf(flags));
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t* topics =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, flags.queue.c_str(),
                                      RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return rk;
  }
  rd_kafka_t* MakeProducer(const Flags& flags) {
    rd_kafka_conf_t* conf =
        tieline::bench::ConfOf(tieline::kafka::ProducerSettings(
            tieline::bench::BrokerOf(flags), tieline::bench::QueueOf(flags)));
    rd_kafka_conf_set_dr_msg_cb(conf, OnReport);
    rd_kafka_conf_set_opaque(conf, this);
    return tieline::bench::ClientOf(RD_KAFKA_PRODUCER, conf);
  }

  // The consumed record is kept until the report, and not copied.
  void Forward(rd_kafka_message_t* record) {
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_message_destroy(record);
      return;
    }
    Lane& lane = lanes_[record->partition];
    if (lane.done.empty()) lane.first = record->offset;
    // Offsets may leave gaps; what is not there needs no report.
    while (lane.first + static_cast<int64_t>(lane.done.size()) <
           record->offset) {
      lane.done.push_back(true);
    }
    lane.done.push_back(false);

    std::array<rd_kafka_vu_t, 5> v;
    v[0].vtype = RD_KAFKA_VTYPE_RKT;
    v[0].u.rkt = topic_;
    v[1].vtype = RD_KAFKA_VTYPE_VALUE;
    v[1].u.mem.ptr = record->payload;
    v[1].u.mem.size = record->len;
    v[2].vtype = RD_KAFKA_VTYPE_KEY;
    v[2].u.mem.ptr = record->key;
    v[2].u.mem.size = record->key_len;
    v[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
    v[3].u.ptr = record;
    size_t count = 4;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_detach_headers(record, &headers) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      v[4].vtype = RD_KAFKA_VTYPE_HEADERS;
      v[4].u.headers = headers;
      count = 5;
    }
    while (rd_kafka_error_t* error =
               rd_kafka_produceva(producer_, v.data(), count)) {
      rd_kafka_error_destroy(error);
      rd_kafka_poll(producer_, 10);  // its queue is full
    }
    ++in_flight_;
  }

  static void OnReport(rd_kafka_t*, const rd_kafka_message_t* report,
                       void* opaque) {
    auto* self = static_cast<Relay*>(opaque);
    auto* record = static_cast<rd_kafka_message_t*>(report->_private);
    --self->in_flight_;
    if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++self->failed_;  // its partition is committed no further
    } else {
      ++self->relayed_;
      Lane& lane = self->lanes_[record->partition];
      lane.done[static_cast<size_t>(record->offset - lane.first)] = true;
      while (!lane.done.empty() && lane.done.front()) {
        lane.done.pop_front();
        ++lane.first;
      }
    }
    rd_kafka_message_destroy(record);
  }

  void Commit() {
    rd_kafka_topic_partition_list_t* list =
        rd_kafka_topic_partition_list_new(8);
    for (auto& [partition, lane] : lanes_) {
      if (lane.first == lane.committed) continue;
      lane.committed = lane.first;
      rd_kafka_topic_partition_list_add(list, flags_.queue.c_str(), partition)
          ->offset = lane.first;
    }
    if (list->cnt > 0) rd_kafka_commit(consumer_, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
  }

  const Flags flags_;
  rd_kafka_t* const consumer_;
  rd_kafka_t* const producer_;
  rd_kafka_queue_t* const queue_;
  rd_kafka_topic_t* const topic_;
  std::map<int32_t, Lane> lanes_;
  size_t in_flight_ = 0;
  size_t relayed_ = 0;
  size_t failed_ = 0;
};

// "kafka://host:port/topic?..." in its parts.
Flags At(Flags flags, const std::string& text) {
  auto url = tieline::Url::Parse(text);
  if (!url.ok()) {
    std::fprintf(stderr, "%s\n", url.status().ToString().c_str());
    std::exit(2);
  }
  flags.url = url->scheme + "://" + url->HostList(0);
  flags.queue = url->path;
  const auto group = url->params.find("group");
  if (group != url->params.end()) flags.group = group->second;
  return flags;
}

}  // namespace

int main(int argc, char** argv) {
  const Flags flags = Flags::Parse(argc, argv);
  Relay relay(At(flags, flags.url), At(flags, flags.to));
  return relay.Run();
}
