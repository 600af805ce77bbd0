// Bodies and keys arrive as they were sent.
#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

std::string AllBytes() {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  return all;
}

BEHAVIOUR("a body of every byte value survives", "[body]") {
  const Message got = rig.RoundTrip(Message(AllBytes()));
  CHECK(got.body_kind() == BodyKind::kData);
  CHECK(got.body_view() == AllBytes());
}

BEHAVIOUR("an empty body is not a null body", "[body]") {
  const Message got = rig.RoundTrip(Message(""));
  CHECK(got.body_kind() == BodyKind::kData);
  CHECK(got.body_view().empty());
}

BEHAVIOUR("a null body is not an empty body", "[body]") {
  Message message;
  message.set_id("tombstone").set_key("k");
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.body_kind() == BodyKind::kNull);
}

BEHAVIOUR("a body of 1 MiB survives", "[body][size]") {
  if (rig.limits().large_body < 1 << 20) {
    rig.Skip("the broker takes no messages of 1 MiB");
  }
  std::string body(1 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) {
    body[i] = static_cast<char>(i * 2654435761u >> 24);
  }
  const Message got = rig.RoundTrip(Message(body));
  CHECK((got.body_view() == body));
}

BEHAVIOUR("bodies of growing sizes survive", "[body][size]") {
  const QueueConfig queue = rig.NewQueue();
  std::vector<Message> list;
  std::vector<std::string> bodies;
  for (size_t n : {1u, 2u, 63u, 64u, 65u, 127u, 255u, 256u, 257u, 511u, 512u,
                   1000u, 4095u, 4096u, 16384u, 65535u, 65536u, 100000u}) {
    bodies.emplace_back(n, static_cast<char>('a' + n % 26));
    list.emplace_back(bodies.back());
  }
  rig.MustSend(rig.OpenSender(queue), std::move(list));
  CHECK(
      (Bodies(rig.MustTake(rig.OpenReceiver(queue), bodies.size())) == bodies));
}

BEHAVIOUR("a body outlives its receiver and its connection", "[body]") {
  const QueueConfig queue = rig.NewQueue();
  rig.MustSend(rig.OpenSender(queue), Message(std::string(5000, 'z')));
  Peer& peer = rig.Connect();
  Receiver& rx = rig.OpenReceiver(queue, &peer);
  const Bytes body = rig.MustTake(rx, 1)[0].message.body();
  rig.Drop(peer);
  CHECK((body.view() == std::string(5000, 'z')));
}

BEHAVIOUR("a value body keeps its type and value", "[body]") {
  Message message;
  message.set_value_body(Value(int64_t{-42}));
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.body_kind() == BodyKind::kValue);
  CHECK(got.body_value() == Value(int64_t{-42}));
}

BEHAVIOUR("a string value body is not a data body", "[body]") {
  Message message;
  message.set_value_body(Value("text"));
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.body_kind() == BodyKind::kValue);
  CHECK(got.body_value() == Value("text"));
  CHECK(got.body_view() == "text");
}

BEHAVIOUR("a sequence body survives", "[body]") {
  // AMQP 1.0, 1.6.22: list8 of smalluint 7 and the string "x".
  const Value list =
      Value::Composite(Type::kList, std::string_view("\xc0\x06\x02\x52\x07"
                                                     "\xa1\x01x",
                                                     8));
  Message message;
  message.set_sequence_body(list);
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.body_kind() == BodyKind::kSequence);
  CHECK(got.body_value() == list);
}

BEHAVIOUR("a key of text survives", "[key]") {
  Message message("m");
  message.set_key("charger-17");
  CHECK(rig.RoundTrip(std::move(message)).key() == "charger-17");
}

BEHAVIOUR("a key of Unicode text survives", "[key]") {
  Message message("m");
  message.set_key("Ladesäule-五-🔌");
  CHECK(rig.RoundTrip(std::move(message)).key() == "Ladesäule-五-🔌");
}

BEHAVIOUR("a key of every byte value survives", "[key]") {
  Message message("m");
  message.set_key(AllBytes());
  const Message got = rig.RoundTrip(std::move(message));
  CHECK((got.key() == AllBytes()));
}

BEHAVIOUR("an empty key is not a missing key", "[key]") {
  Message message("m");
  message.set_key("");
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.has(Field::kKey));
  CHECK(got.key().empty());
}

BEHAVIOUR("a message without a key arrives without a key", "[key]") {
  CHECK(!rig.RoundTrip(Message("m")).has(Field::kKey));
}

BEHAVIOUR("a message with nothing but a body gains no properties", "[body]") {
  const Message got = rig.RoundTrip(Message("bare"));
  CHECK(got.properties().empty());
}

BEHAVIOUR("a message that is sent on arrives as it came", "[body][relay]") {
  Message message("relayed");
  message.set_id("id-9").set_key("k").set_property("n", 2.5);
  const Message once = rig.RoundTrip(std::move(message));
  const Message twice = rig.RoundTrip(once);
  CHECK(twice.body_view() == "relayed");
  CHECK(twice.id() == "id-9");
  CHECK(twice.key() == "k");
  CHECK(twice.properties() == once.properties());
}

BEHAVIOUR("a received message can be changed and sent on", "[body][relay]") {
  Message message("relayed");
  message.set_id("id-9").set_key("k").set_property("n", 2.5);
  Message once = rig.RoundTrip(std::move(message));
  once.set_property("hop", 1).set_key("k2").set_body("changed");
  const Message twice = rig.RoundTrip(once);
  CHECK(twice.body_view() == "changed");
  CHECK(twice.id() == "id-9");
  CHECK(twice.key() == "k2");
  REQUIRE(twice.properties().Find("hop") != nullptr);
  CHECK(*twice.properties().Find("hop") == Value(1));
  REQUIRE(twice.properties().Find("n") != nullptr);
  CHECK(*twice.properties().Find("n") == Value(2.5));
}

}  // namespace
}  // namespace tieline::conformance
