// Topics that are made, and those that must not be, on a real Kafka whose
// brokers make missing topics by themselves.
#include <algorithm>
#include <string>

#include "tests/support/brokers.h"
#include "tests/support/catch.h"
#include "tieline/bus.h"
#include "tieline/kafka.h"

namespace tieline {
namespace {

using ::tieline::testing::Broker;

constexpr absl::Duration kLong = absl::Seconds(20);

Broker& Kafka() {
  static Broker broker = Broker::Start("kafka");
  return broker;
}

std::unique_ptr<Bus> OpenBus() {
  kafka::Register();
  auto bus = Bus::Open(Config{});
  REQUIRE(bus.ok());
  return *std::move(bus);
}

TEST_CASE("a topic that a sender makes has the partitions asked for") {
  const auto bus = OpenBus();
  for (int i = 0; i < 10; ++i) {
    const std::string url = Kafka().Url("plain") + "/made-" +
                            std::to_string(i) + "?create=true&partitions=5";
    auto sender = bus->OpenSender(url);
    REQUIRE(sender.ok());
    const absl::Status open = (*sender)->WaitOpen(kLong);
    INFO(open.ToString());
    REQUIRE(open.ok());
    CHECK((*sender)->Send(Message("first")).ok());
    driver::Request ends;
    ends.op = driver::Request::Op::kDrainMark;
    const auto reply = bus->Ask(url, ends, kLong);
    INFO(reply.status().ToString());
    REQUIRE(reply.ok());
    CHECK(reply->numbers.size() == 5);
  }
}

TEST_CASE("a topic that is not to be made stays missing") {
  const auto bus = OpenBus();
  const std::string url = Kafka().Url("plain") + "/never-made";
  {
    auto sender = bus->OpenSender(url);
    REQUIRE(sender.ok());
    CHECK(absl::IsNotFound((*sender)->WaitOpen(kLong)));
  }
  const auto there = bus->ListEntities(url, kLong);
  const bool listed = there.ok() && std::any_of(there->begin(), there->end(),
                                                [](const auto& e) {
                                                  return e.name == "never-made";
                                                });
  CHECK_FALSE(listed);
}

}  // namespace
}  // namespace tieline
