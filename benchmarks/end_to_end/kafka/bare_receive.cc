// Bare librdkafka: consume in batches, commit every 10 ms.
#include <vector>

#include "benchmarks/end_to_end/checker.h"
#include "benchmarks/end_to_end/kafka/bare.h"

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  rd_kafka_t* rk = ClientOf(RD_KAFKA_CONSUMER, ConsumerConf(flags));
  rd_kafka_poll_set_consumer(rk);
  rd_kafka_topic_partition_list_t* topics =
      rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, flags.queue.c_str(),
                                    RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(rk, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(rk);

  std::vector<rd_kafka_message_t*> batch(256);
  std::vector<int64_t> next(10000, -1);
  MessageChecker checker(flags);
  // The clock starts with the first message: joining the group is not ours.
  Stopwatch watch;
  double committed = 0;
  const auto commit = [&] {
    rd_kafka_topic_partition_list_t* list =
        rd_kafka_topic_partition_list_new(8);
    for (size_t p = 0; p < next.size(); ++p) {
      if (next[p] < 0) continue;
      rd_kafka_topic_partition_list_add(list, flags.queue.c_str(),
                                        static_cast<int32_t>(p))
          ->offset = next[p];
      next[p] = -1;
    }
    if (list->cnt > 0) rd_kafka_commit(rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
  };
  while (!checker.complete()) {
    const ssize_t n =
        rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    if (checker.distinct() == 0) watch = Stopwatch();
    for (ssize_t i = 0; i < n; ++i) {
      rd_kafka_message_t* m = batch[static_cast<size_t>(i)];
      if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        checker.Take({static_cast<const char*>(m->payload), m->len});
        next[static_cast<size_t>(m->partition)] = m->offset + 1;
      }
      rd_kafka_message_destroy(m);
    }
    if (watch.seconds() - committed > 0.01) {
      committed = watch.seconds();
      commit();
    }
  }
  commit();
  const int code = Report("bare", flags, checker.distinct(),
                          checker.lost() + checker.disordered(), watch);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
  return code;
}
