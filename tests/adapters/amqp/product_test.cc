#include "adapters/amqp/product.h"

#include "tests/support/catch.h"

namespace tieline::inline v0::amqp {
namespace {

TEST_CASE("the subject that RabbitMQ puts in is the queue's name") {
  const auto at_rabbit = [](std::string_view entity) {
    return BrokerSubjectOf(Product::kRabbitMq, entity);
  };
  CHECK(at_rabbit("orders") == "orders");
  CHECK(at_rabbit("/queue/orders") == "orders");
  CHECK(at_rabbit("/amq/queue/orders") == "orders");
  // A name is a name: only what stands before it is left out, once.
  CHECK(at_rabbit("/queue//queue/orders") == "/queue/orders");
  CHECK(at_rabbit("queue/orders") == "queue/orders");
}

TEST_CASE("other brokers put in no subject") {
  CHECK(BrokerSubjectOf(Product::kArtemis, "orders").empty());
  CHECK(BrokerSubjectOf(Product::kOther, "/queue/orders").empty());
}

}  // namespace
}  // namespace tieline::inline v0::amqp
