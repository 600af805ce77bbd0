// Bare librdkafka, as one would write it for speed: each record's body made
// once, and the library's from then on; a delivery report for each.
#include <array>
#include <cstdlib>
#include <cstring>
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

class Records {
 public:
  Records(rd_kafka_t* rk, rd_kafka_topic_t* topic, const Flags& flags)
      : rk_(rk), topic_(topic), body_(flags.size < 8 ? 8 : flags.size, 'x') {
    for (size_t i = 0; i < flags.keys; ++i) {
      keys_.push_back("key" + std::to_string(i));
    }
    for (size_t i = 0; i < flags.headers; ++i) {
      headers_.push_back("header" + std::to_string(i));
    }
  }

  // The record of this number; false: the library took none.
  bool Produce(uint64_t number) {
    std::memcpy(body_.data(), &number, sizeof(number));
    void* body = std::malloc(body_.size());
    std::memcpy(body, body_.data(), body_.size());
    std::array<rd_kafka_vu_t, 5> v;
    size_t n = 0;
    v[n].vtype = RD_KAFKA_VTYPE_RKT;
    v[n++].u.rkt = topic_;
    v[n].vtype = RD_KAFKA_VTYPE_VALUE;
    v[n].u.mem.ptr = body;
    v[n++].u.mem.size = body_.size();
    v[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    v[n++].u.i = RD_KAFKA_MSG_F_FREE;
    if (!keys_.empty()) {
      const std::string& key = keys_[number % keys_.size()];
      v[n].vtype = RD_KAFKA_VTYPE_KEY;
      v[n].u.mem.ptr = const_cast<char*>(key.data());
      v[n++].u.mem.size = key.size();
    }
    rd_kafka_headers_t* headers = nullptr;
    if (!headers_.empty()) {
      headers = rd_kafka_headers_new(headers_.size());
      for (const std::string& name : headers_) {
        rd_kafka_header_add(headers, name.data(),
                            static_cast<ssize_t>(name.size()), "some value",
                            10);
      }
      v[n].vtype = RD_KAFKA_VTYPE_HEADERS;
      v[n++].u.headers = headers;
    }
    rd_kafka_error_t* error = rd_kafka_produceva(rk_, v.data(), n);
    if (error == nullptr) return true;
    rd_kafka_error_destroy(error);
    std::free(body);
    if (headers != nullptr) rd_kafka_headers_destroy(headers);
    return false;
  }

 private:
  rd_kafka_t* const rk_;
  rd_kafka_topic_t* const topic_;
  std::string body_;
  std::vector<std::string> keys_;
  std::vector<std::string> headers_;
};

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

  Records records(rk, topic, flags);
  // One record first: connections and the producer's identity.
  records.Produce(0);
  while (counts.delivered + counts.failed == 0) rd_kafka_poll(rk, 100);
  counts = {};

  const Stopwatch watch;
  size_t sent = 0;
  while (counts.delivered + counts.failed < flags.count) {
    for (size_t i = 0; i < 256 && sent < flags.count &&
                       sent - counts.delivered - counts.failed < flags.credit;
         ++i) {
      if (records.Produce(sent)) ++sent;
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
