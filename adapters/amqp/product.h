// What is known of the broker products: how they name entities, what they can
// do, and where they differ from the specification.
//
// The product is read from the broker's Open. Quirks that this adapter works
// around are explained in docs/guide/amqp.md.
#ifndef TIELINE_ADAPTERS_AMQP_PRODUCT_H_
#define TIELINE_ADAPTERS_AMQP_PRODUCT_H_

#include <string>
#include <string_view>

#include "adapters/amqp/engine/engine.h"
#include "tieline/capabilities.h"
#include "tieline/config.h"

namespace tieline::inline v0::amqp {

enum class Product : uint8_t { kOther, kArtemis, kRabbitMq };

// `name` is the property "product" of Open.
Product ProductOf(std::string_view name);
// What a connection to the product can do, and a link to one of its entities.
Capabilities CapabilitiesOf(Product product);
// The subject that the broker gives messages of this entity which have none;
// empty where it gives none. RabbitMQ puts its routing key there: the queue's
// name, where the default exchange was sent to. Part of `entity`.
std::string_view BrokerSubjectOf(Product product, std::string_view entity);
// Sets address, capabilities and durability of the terminus for an entity:
//   Artemis    the name as it is ("queue", "address::queue"); the terminus says
//              "queue", or what the queue's setting `kind` says ("topic").
//   RabbitMQ   a name that begins with "/" as it is ("/amq/queue/N",
//              "/exchange/E/K", "/topic/K"); others as "/queue/NAME", which is
//              declared durable.
//   others     the name as it is, without capabilities unless `kind` is set.
void SetAddress(Product product, const QueueConfig& queue,
                wire::LinkSpec* spec);

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_PRODUCT_H_
