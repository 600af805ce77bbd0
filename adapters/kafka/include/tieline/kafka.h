// The Kafka backend, on librdkafka.
//
//   tieline::kafka::Register();
//   auto bus = tieline::Bus::Open(config);   // kafka://host:9092/topic?group=g
//
// What it maps to what, its settings and its capabilities: the guide's page
// "Kafka" (docs/guide/kafka.md).
#ifndef TIELINE_KAFKA_H_
#define TIELINE_KAFKA_H_

namespace tieline::inline v0 {
namespace kafka {

// Makes the schemes kafka:// (plaintext on loopback or with allow_plaintext,
// else TLS as configured) and kafkas:// (always TLS) known to the process. Any
// thread; once is enough.
void Register();

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_KAFKA_H_
