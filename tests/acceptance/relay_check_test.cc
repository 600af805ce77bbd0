// The checker must see what it is there to see.
#include <set>
#include <string>

#include "tests/acceptance/relay_messages.h"
#include "tests/acceptance/relay_tally.h"
#include "tests/support/catch.h"

namespace tieline::relay_check {
namespace {

constexpr uint64_t kCount = 2000;

Tally TallyOf(const Plan& plan, uint64_t count) {
  return Tally(plan, count, {});
}

TEST_CASE("a run that arrives as it was sent is well") {
  const Plan plan{.keys = 10};
  Tally tally = TallyOf(plan, kCount);
  for (uint64_t i = 0; i < kCount; ++i) tally.Add(MakeMessage(plan, i));
  INFO(tally.Report());
  CHECK(tally.ok());
  CHECK(tally.received() == kCount);
  CHECK(tally.duplicates() == 0);
}

TEST_CASE("the messages have every kind of body and every type") {
  std::set<std::string> seen;
  for (uint64_t i = 0; i < kCount; ++i) {
    const Message m = MakeMessage({}, i);
    for (const std::string& what : Compare(m, m).compared) seen.insert(what);
    for (const Property& p : m.properties()) {
      seen.insert(std::string(TypeName(p.value.type())));
    }
  }
  for (int type = 0; type <= static_cast<int>(Type::kDescribed); ++type) {
    CHECK(seen.contains(std::string(TypeName(static_cast<Type>(type)))));
  }
  for (const char* what :
       {"null body", "data body", "value body", "sequence body", "subject",
        "ttl", "created", "expires", "deliver at", "priority", "user id",
        "annotation x-opt-note", "footer crc", "correlation id (uuid)"}) {
    CHECK(seen.contains(what));
  }
}

TEST_CASE("what is lost, doubled, out of order or strange is counted") {
  const Plan plan{.keys = 10};
  Tally tally = TallyOf(plan, 50);
  for (const uint64_t i : {0, 1, 11, 11, 1, 31, 21, 2}) {
    tally.Add(MakeMessage(plan, i));
  }
  tally.Add(MakeMessage(plan, 50));
  tally.Add(Message("x").set_id("other"));
  CHECK(tally.received() == 10);
  CHECK(tally.unique() == 6);
  CHECK(tally.lost() == 44);
  CHECK(tally.duplicates() == 2);
  CHECK(tally.disordered() == 1);
  CHECK(tally.strangers() == 2);
  CHECK_FALSE(tally.ok());
}

TEST_CASE("a run that was ended early is complete with what was sent") {
  const Plan plan{.keys = 10};
  Tally tally = TallyOf(plan, 50);
  for (uint64_t i = 0; i < 20; ++i) tally.Add(MakeMessage(plan, i));
  CHECK(tally.lost() == 30);
  tally.EndAt(60);
  CHECK(tally.lost() == 30);
  tally.EndAt(20);
  CHECK(tally.ok());
  tally.Add(MakeMessage(plan, 20));
  CHECK(tally.strangers() == 1);
}

TEST_CASE("what has a deliver-at or priority may come in any order") {
  const Plan plan{.keys = 1};
  for (const uint64_t free : {4, 5}) {
    const Message late = MakeMessage(plan, free);
    REQUIRE_FALSE(KeepsOrder(late));
    Tally tally(plan, 7, {});
    for (uint64_t i = 0; i < 7; ++i) {
      if (i != free) tally.Add(MakeMessage(plan, i));
    }
    tally.Add(late);
    CHECK(tally.ok());
  }
  CHECK(KeepsOrder(MakeMessage(plan, 3)));
}

TEST_CASE("a lost or changed field is a fault unless it may differ") {
  const Plan plan{.keys = 10};
  Message sent = MakeMessage(plan, 0);
  REQUIRE(sent.has(Field::kSubject));
  Message got = sent;
  got.clear(Field::kSubject).set_property("seq", Value(int32_t{0}));
  const Comparison c = Compare(sent, got);
  CHECK(c.lost == std::vector<std::string>{"subject"});
  CHECK(c.changed == std::vector<std::string>{"property seq"});

  Tally strict(plan, 1, {});
  strict.Add(got);
  CHECK(strict.different() == 1);
  CHECK_FALSE(strict.ok());
  Tally lenient(plan, 1, {"subject", "property seq"});
  lenient.Add(got);
  CHECK(lenient.ok());
  CHECK(lenient.Report().find("\"lost\":1") != std::string::npos);
}

TEST_CASE("another body, key or kind of body is a fault") {
  const Plan plan{.keys = 10};
  const Message sent = MakeMessage(plan, 1);
  REQUIRE(sent.body_kind() == BodyKind::kData);
  const auto faults = [&](const Message& got) {
    Tally tally(plan, 2, {});
    tally.Add(got);
    return tally.different();
  };
  CHECK(faults(sent) == 0);
  CHECK(faults(Message(sent).set_body("other")) == 1);
  CHECK(faults(Message(sent).set_null_body()) == 1);
  CHECK(faults(Message(sent).set_key("other")) == 1);
  CHECK(faults(Message(sent).set_value_body(Value::Binary(sent.body_view()))) ==
        1);
}

}  // namespace
}  // namespace tieline::relay_check
