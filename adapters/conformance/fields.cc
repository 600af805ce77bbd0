// The standard fields: one behaviour for each.
#include <algorithm>

#include "adapters/conformance/suite.h"

namespace tieline::conformance {
namespace {

struct OfField {
  const char* name;  // as Capabilities::dropped_fields has it
  Field field;
  void (*set)(Message*);
  bool (*same)(const Message&);
};

constexpr absl::Time kThen = absl::FromUnixMillis(1700000000123);

const OfField kFields[] = {
    {"id", Field::kId, [](Message* m) { m->set_id("id-ü-1"); },
     [](const Message& m) {
       return m.id() == "id-ü-1" && m.id_type() == Type::kString;
     }},
    {"correlation_id", Field::kCorrelationId,
     [](Message* m) { m->set_correlation_id("request 7"); },
     [](const Message& m) { return m.correlation_id() == "request 7"; }},
    {"subject", Field::kSubject, [](Message* m) { m->set_subject("Boot"); },
     [](const Message& m) { return m.subject() == "Boot"; }},
    {"content_type", Field::kContentType,
     [](Message* m) { m->set_content_type("application/json"); },
     [](const Message& m) { return m.content_type() == "application/json"; }},
    {"content_encoding", Field::kContentEncoding,
     [](Message* m) { m->set_content_encoding("gzip"); },
     [](const Message& m) { return m.content_encoding() == "gzip"; }},
    {"to", Field::kTo, [](Message* m) { m->set_to("there/and/back"); },
     [](const Message& m) { return m.to() == "there/and/back"; }},
    {"reply_to", Field::kReplyTo, [](Message* m) { m->set_reply_to("me"); },
     [](const Message& m) { return m.reply_to() == "me"; }},
    {"reply_to_key", Field::kReplyToKey,
     [](Message* m) { m->set_reply_to_key("session-3"); },
     [](const Message& m) { return m.reply_to_key() == "session-3"; }},
    {"user_id", Field::kUserId, [](Message* m) { m->set_user_id("tester"); },
     [](const Message& m) { return m.user_id() == "tester"; }},
    {"group_sequence", Field::kGroupSequence,
     [](Message* m) { m->set_key("g").set_group_sequence(4000000000u); },
     [](const Message& m) { return m.group_sequence() == 4000000000u; }},
    {"priority", Field::kPriority, [](Message* m) { m->set_priority(9); },
     [](const Message& m) { return m.priority() == 9; }},
    {"durable", Field::kDurable, [](Message* m) { m->set_durable(false); },
     [](const Message& m) { return !m.durable(); }},
    {"ttl", Field::kTtl, [](Message* m) { m->set_ttl(absl::Hours(1)); },
     [](const Message& m) { return m.ttl() == absl::Hours(1); }},
    {"created", Field::kCreated, [](Message* m) { m->set_created(kThen); },
     [](const Message& m) { return m.created() == kThen; }},
    {"expires", Field::kExpires,
     [](Message* m) { m->set_expires(kThen + absl::Hours(24 * 36500)); },
     [](const Message& m) {
       return m.expires() == kThen + absl::Hours(24 * 36500);
     }},
    {"deliver_at", Field::kDeliverAt,
     [](Message* m) { m->set_deliver_at(kThen - absl::Hours(24)); },
     [](const Message& m) {
       return m.deliver_at() == kThen - absl::Hours(24);
     }},
};

void CheckField(Rig& rig, const OfField& of) {
  const auto& dropped = rig.capabilities().dropped_fields;
  if (std::count(dropped.begin(), dropped.end(), of.name) > 0) {
    rig.Skip("the backend drops " + std::string(of.name));
  }
  Message message("with a field");
  of.set(&message);
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.has(of.field));
  CHECK(of.same(got));
  CHECK(got.body_view() == "with a field");
}

[[maybe_unused]] const bool kFieldsAdded = [] {
  for (const OfField& of : kFields) {
    AddBehaviour("the field " + std::string(of.name) + " survives", "[fields]",
                 [&of](Rig& rig) { CheckField(rig, of); });
  }
  return true;
}();

// The id keeps its type, where ids have types (AMQP 1.0, 3.2.11 to 14).
BEHAVIOUR("an id that is a number keeps its type", "[fields][types]") {
  Message message("m");
  message.set_id("18446744073709551615", Type::kULong);
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.id() == "18446744073709551615");
  CHECK(got.id_type() == Type::kULong);
}

BEHAVIOUR("an id that is a uuid keeps its type", "[fields][types]") {
  Message message("m");
  message.set_id("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", Type::kUuid);
  const Message got = rig.RoundTrip(std::move(message));
  CHECK(got.id() == "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
  CHECK(got.id_type() == Type::kUuid);
}

BEHAVIOUR("a message without fields arrives without them", "[fields]") {
  const Message got = rig.RoundTrip(Message("bare"));
  for (Field f : {Field::kCorrelationId, Field::kSubject, Field::kContentType,
                  Field::kContentEncoding, Field::kReplyTo, Field::kReplyToKey,
                  Field::kDeliverAt, Field::kTtl}) {
    INFO("field " << static_cast<int>(f));
    CHECK(!got.has(f));
  }
}

BEHAVIOUR("all fields together survive", "[fields]") {
  const auto& dropped = rig.capabilities().dropped_fields;
  const auto kept = [&](const OfField& of) {
    return std::count(dropped.begin(), dropped.end(), of.name) == 0;
  };
  Message message("all");
  for (const OfField& of : kFields) {
    if (kept(of)) of.set(&message);
  }
  const Message got = rig.RoundTrip(std::move(message));
  for (const OfField& of : kFields) {
    INFO(of.name);
    if (kept(of)) CHECK(of.same(got));
  }
}

BEHAVIOUR("annotations survive", "[fields]") {
  const auto& dropped = rig.capabilities().dropped_fields;
  if (std::count(dropped.begin(), dropped.end(), "annotations") > 0) {
    rig.Skip("the backend drops annotations");
  }
  Message message("annotated");
  message.set_annotation("x-opt-test", "value");
  message.set_annotation("x-opt-number", int64_t{7});
  const Message got = rig.RoundTrip(std::move(message));
  REQUIRE(got.annotations().Find("x-opt-test") != nullptr);
  CHECK(*got.annotations().Find("x-opt-test") == Value("value"));
  REQUIRE(got.annotations().Find("x-opt-number") != nullptr);
  CHECK(*got.annotations().Find("x-opt-number") == Value(int64_t{7}));
}

}  // namespace
}  // namespace tieline::conformance
