// The core's copies of dead letters are where and as lib/dead_letters.h says.
#include "lib/dead_letters.h"

#include <string>
#include <vector>

#include "tests/engine/rig.h"

namespace tieline {
namespace {

TEST_CASE("a copy is where its queue's dead letters are, with its marks") {
  ScriptedRig rig;
  auto receiver = *rig.bus->OpenReceiver("q");
  rig.broker->Put("q", Message("bad").set_property("mine", Value(1)));
  auto delivery = receiver->Receive(kLong);
  REQUIRE(delivery.ok());
  CHECK(delivery->DeadLetter("why", "because").ok());
  REQUIRE(Eventually([&] { return rig.broker->Depth("q") == 0; }));
  const QueueConfig queue = rig.bus->config().queues.at("q");
  const std::string place = DeadLetterCopiesOf(queue);
  const std::vector<Message> dead = rig.broker->Accepted(place);
  REQUIRE(dead.size() == 1);
  const DeadLetterMarks marks = MarksOf(DeadLetterKind::kCopy, dead[0]);
  CHECK(marks.reason == "why");
  CHECK(marks.detail == "because");
  CHECK(marks.source == "q");
  const Message again = WithoutMarks(DeadLetterKind::kCopy, dead[0], place);
  CHECK(again.properties().size() == 1);
}

}  // namespace
}  // namespace tieline
