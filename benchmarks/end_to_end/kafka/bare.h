// The yardstick's settings: those that the adapter uses, from the adapter.
#ifndef TIELINE_BENCHMARKS_END_TO_END_KAFKA_BARE_H_
#define TIELINE_BENCHMARKS_END_TO_END_KAFKA_BARE_H_

#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "adapters/kafka/settings.h"
#include "benchmarks/end_to_end/bench.h"

namespace tieline::bench {

inline BrokerConfig BrokerOf(const Flags& flags) {
  BrokerConfig broker;
  broker.name = "bench";
  auto url = Url::Parse(flags.url);
  if (!url.ok()) {
    std::fprintf(stderr, "%s\n", url.status().ToString().c_str());
    std::exit(2);
  }
  broker.url = *url;
  return broker;
}

inline QueueConfig QueueOf(const Flags& flags) {
  QueueConfig queue;
  queue.name = queue.entity = flags.queue;
  queue.group = flags.group;
  return queue;
}

inline rd_kafka_conf_t* ConfOf(const kafka::Settings& settings) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> error{};
  for (const kafka::Setting& s : settings) {
    if (rd_kafka_conf_set(conf, s.name.c_str(),
                          std::string(s.value.Reveal()).c_str(), error.data(),
                          error.size()) != RD_KAFKA_CONF_OK) {
      std::fprintf(stderr, "%s\n", error.data());
      std::exit(2);
    }
  }
  return conf;
}

// The adapter's settings, but for what waits in the client: the adapter keeps
// that small and wakes the library's fetching itself, which a plain program
// can't; it does best with the library's defaults.
inline rd_kafka_conf_t* ConsumerConf(const Flags& flags) {
  kafka::Settings settings = kafka::ConsumerSettings(
      BrokerOf(flags), QueueOf(flags), false, rd_kafka_version());
  for (kafka::Setting& s : settings) {
    if (s.name == "queued.min.messages") s.value = Secret("100000");
    if (s.name == "queued.max.messages.kbytes") s.value = Secret("65536");
  }
  return ConfOf(settings);
}

inline rd_kafka_t* ClientOf(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  std::array<char, 512> error{};
  rd_kafka_t* rk = rd_kafka_new(type, conf, error.data(), error.size());
  if (rk == nullptr) {
    std::fprintf(stderr, "%s\n", error.data());
    std::exit(2);
  }
  return rk;
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_KAFKA_BARE_H_
