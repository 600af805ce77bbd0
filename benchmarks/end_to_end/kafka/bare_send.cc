// Bare librdkafka, as one would write it for speed: records by reference, a
// delivery report for each, batches where there are no headers.
#include <array>
#include <string>
#include <vector>

#include "benchmarks/end_to_end/kafka/bare.h"

namespace {

using tieline::bench::Flags;

struct Counts {
  size_t delivered = 0;
  size_t failed = 0;
};

void OnReport(rd_kafka_t*, const rd_kafka_message_t* report, void* opaque) {
  auto* counts = static_cast<Counts*>(opaque);
  if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++counts->delivered;
  } else {
    ++counts->failed;
  }
}

bool Produce(rd_kafka_t* rk, rd_kafka_topic_t* topic, const Flags& flags,
             std::string* body, const std::string& key) {
  void* payload = body->data();
  if (flags.headers == 0) {
    return rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, payload,
                            body->size(), key.empty() ? nullptr : key.data(),
                            key.size(), nullptr) == 0;
  }
  rd_kafka_headers_t* headers = rd_kafka_headers_new(flags.headers);
  for (size_t h = 0; h < flags.headers; ++h) {
    const std::string name = "header" + std::to_string(h);
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                        "some value", 10);
  }
  std::array<rd_kafka_vu_t, 4> v;
  v[0].vtype = RD_KAFKA_VTYPE_RKT;
  v[0].u.rkt = topic;
  v[1].vtype = RD_KAFKA_VTYPE_VALUE;
  v[1].u.mem.ptr = payload;
  v[1].u.mem.size = body->size();
  v[2].vtype = RD_KAFKA_VTYPE_HEADERS;
  v[2].u.headers = headers;
  v[3].vtype = RD_KAFKA_VTYPE_KEY;
  v[3].u.mem.ptr = const_cast<char*>(key.data());
  v[3].u.mem.size = key.size();
  rd_kafka_error_t* error =
      rd_kafka_produceva(rk, v.data(), key.empty() ? 3 : 4);
  if (error == nullptr) return true;
  rd_kafka_error_destroy(error);
  rd_kafka_headers_destroy(headers);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tieline::bench;
  const Flags flags = Flags::Parse(argc, argv);
  Counts counts;
  rd_kafka_conf_t* conf =
      ConfOf(tieline::kafka::ProducerSettings(BrokerOf(flags), QueueOf(flags)));
  rd_kafka_conf_set_dr_msg_cb(conf, OnReport);
  rd_kafka_conf_set_opaque(conf, &counts);
  rd_kafka_t* rk = ClientOf(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t* topic =
      rd_kafka_topic_new(rk, flags.queue.c_str(), nullptr);

  std::string body(flags.size, 'x');
  std::vector<std::string> keys(flags.keys == 0 ? 1 : flags.keys);
  for (size_t i = 0; i < flags.keys; ++i) keys[i] = "key" + std::to_string(i);
  // One record first: connections and the producer's identity.
  Produce(rk, topic, flags, &body, keys[0]);
  while (counts.delivered + counts.failed == 0) rd_kafka_poll(rk, 100);
  counts = {};

  const Stopwatch watch;
  size_t sent = 0;
  while (counts.delivered + counts.failed < flags.count) {
    for (size_t i = 0; i < 256 && sent < flags.count &&
                       sent - counts.delivered - counts.failed < flags.credit;
         ++i) {
      if (Produce(rk, topic, flags, &body, keys[sent % keys.size()])) ++sent;
    }
    const bool full = sent == flags.count ||
                      sent - counts.delivered - counts.failed >= flags.credit;
    rd_kafka_poll(rk, full ? 100 : 0);
  }
  const int code = Report("bare", flags, counts.delivered,
                          flags.count - counts.delivered, watch);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(rk);
  return code;
}
