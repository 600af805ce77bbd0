#include "adapters/amqp/product.h"

namespace tieline::inline v0::amqp {

Product ProductOf(std::string_view name) {
  if (name == "apache-activemq-artemis") return Product::kArtemis;
  if (name == "RabbitMQ") return Product::kRabbitMq;
  return Product::kOther;
}

Capabilities CapabilitiesOf(Product product) {
  Capabilities can;
  can.add(Capability::kBrokerRedelivery).add(Capability::kSingleSettle);
  switch (product) {
    case Product::kArtemis:
      can.add(Capability::kOrdering)
          .add(Capability::kDeadLetter)
          .add(Capability::kAttemptCount)
          .add(Capability::kSchedule)
          .add(Capability::kTtl)
          .add(Capability::kPeek)
          .add(Capability::kDepth)
          .add(Capability::kListEntities)
          .add(Capability::kCreateEntity);
      can.drain_proof = DrainProof::kCount;
      break;
    case Product::kRabbitMq:
      can.add(Capability::kOrdering)
          .add(Capability::kTtl)
          .add(Capability::kCreateEntity);
      can.dropped_fields = {"subject"};
      break;
    case Product::kOther:
      break;
  }
  return can;
}

std::string_view BrokerSubjectOf(Product product, std::string_view entity) {
  if (product != Product::kRabbitMq) return {};
  for (const std::string_view prefix : {"/amq/queue/", "/queue/"}) {
    if (entity.starts_with(prefix)) return entity.substr(prefix.size());
  }
  return entity;
}

void SetAddress(Product product, const QueueConfig& queue,
                wire::LinkSpec* spec) {
  spec->address = queue.entity;
  auto kind = queue.settings.find("kind");
  if (kind != queue.settings.end()) {
    spec->capabilities = {kind->second};
  } else if (product == Product::kArtemis) {
    spec->capabilities = {"queue"};
  }
  if (product == Product::kRabbitMq) {
    spec->capabilities.clear();
    spec->durable = true;
    if (!queue.entity.starts_with('/')) {
      spec->address = "/queue/" + queue.entity;
    }
  }
}

}  // namespace tieline::inline v0::amqp
