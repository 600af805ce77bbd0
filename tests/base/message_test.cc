#include "tieline/message.h"

#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tieline/driver/message_access.h"

namespace tieline {
namespace {

// Counts what is asked of it.
class CountingSource final : public driver::MessageSource {
 public:
  void Decode(const driver::Native& native,
              MessageFields* fields) const override {
    ++decoded;
    fields->subject = std::string(native.encoded.view());
    fields->mark(Field::kSubject);
  }
  void Release(void* handle) const override { ++*static_cast<int*>(handle); }
  mutable int decoded = 0;
};

TEST_CASE("a message without a body has a null body, not an empty one") {
  CHECK(Message().body_kind() == BodyKind::kNull);
  CHECK(Message("").body_kind() == BodyKind::kData);
  CHECK(Message("").body_view().empty());
}

TEST_CASE("setting a shared message leaves the other handle as it was") {
  Message a("body");
  a.set_key("k1").set_property("n", Value(int64_t{1}));
  Message b = a;
  b.set_key("k2").set_property("n", Value(int64_t{2})).set_body("other");
  CHECK(a.key() == "k1");
  CHECK(a.properties().Find("n")->AsInt64() == 1);
  CHECK(a.body_view() == "body");
  CHECK(b.key() == "k2");
  CHECK(b.body_view() == "other");
}

TEST_CASE("a body slice outlives its message") {
  Bytes body;
  {
    Message m(std::string(300, 'x'));
    body = m.body();
  }
  CHECK(body.view() == std::string(300, 'x'));
}

TEST_CASE("a cleared field is absent and has its default again") {
  Message m("x");
  m.set_priority(9).set_subject("");
  CHECK(m.has(Field::kSubject));
  m.clear(Field::kPriority).clear(Field::kSubject);
  CHECK_FALSE(m.has(Field::kPriority));
  CHECK_FALSE(m.has(Field::kSubject));
  CHECK(m.priority() == 4);
}

TEST_CASE("native fields are decoded once, when asked, and released once") {
  CountingSource source;
  int released = 0;
  {
    driver::NativeParts parts;
    parts.source = &source;
    parts.native.handle = &released;
    parts.native.encoded = Bytes::Copy("topic");
    parts.body = "body";
    parts.has_key = true;
    parts.key = "k";
    Message m = driver::MakeMessage(std::move(parts));
    CHECK(m.key() == "k");
    CHECK(m.body_view() == "body");
    CHECK(source.decoded == 0);
    CHECK(m.subject() == "topic");
    CHECK(m.subject() == "topic");
    CHECK(source.decoded == 1);
    {
      Message shared = m;
      shared.set_subject("else");
      CHECK(m.subject() == "topic");
      CHECK(shared.body_view() == "body");
    }
    uint32_t changed = 99;
    REQUIRE(driver::NativeOf(m, &source, &changed) != nullptr);
    CHECK(changed == driver::kChangedNothing);
    m.set_key("k2");
    REQUIRE(driver::NativeOf(m, &source, &changed) != nullptr);
    CHECK(changed == driver::kChangedKey);
    CHECK(released == 0);
  }
  CHECK(released == 1);
}

TEST_CASE("a stamped id is an id like any other") {
  Message m("x");
  CHECK(driver::StampId(m, "producer-1"));
  CHECK_FALSE(driver::StampId(m, "producer-2"));
  CHECK(driver::LightPropertiesOf(m) != nullptr);
  CHECK(m.has(Field::kId));
  CHECK(m.id() == "producer-1");
  CHECK(driver::FieldsOf(m).id == "producer-1");
  m.set_subject("s");
  CHECK(m.id() == "producer-1");
  Message empty;
  CHECK(driver::StampId(empty, "e"));
  CHECK(empty.body_kind() == BodyKind::kNull);
  CHECK(empty.id() == "e");
}

TEST_CASE(
    "properties alone take no room for other fields, and change nothing") {
  Message m("x");
  m.set_key("k").set_property("a", Value(1)).set_property("b", Value("two"));
  REQUIRE(driver::LightPropertiesOf(m) == &m.properties());
  CHECK(driver::StampId(m, "id-1"));
  CHECK(m.properties().size() == 2);
  CHECK(m.id() == "id-1");
  CHECK(m.id_type() == Type::kString);
  CHECK(m.subject().empty());
  CHECK(m.priority() == Message().priority());
  CHECK_FALSE(m.has(Field::kPriority));
  CHECK(driver::LightPropertiesOf(m) != nullptr);
  const size_t estimate = m.size_estimate();

  // A copy that is changed has its own.
  Message copy = m;
  copy.set_property("a", Value(7)).set_property("c", Value(true));
  CHECK(*m.properties().Find("a") == Value(1));
  CHECK(copy.properties().size() == 3);
  CHECK(copy.id() == "id-1");
  CHECK(copy.key() == "k");
  CHECK(driver::LightPropertiesOf(copy) != nullptr);
  copy.mutable_properties().Remove("a");
  CHECK(copy.properties().size() == 2);

  // All fields, made when asked for.
  CHECK(driver::FieldsOf(m).properties == m.properties());
  CHECK(driver::FieldsOf(m).id == "id-1");
  CHECK(driver::LightPropertiesOf(m) == nullptr);
  CHECK(m.size_estimate() == estimate);
  m.set_property("a", Value(3));
  CHECK(*m.properties().Find("a") == Value(3));
  CHECK(driver::FieldsOf(m).properties == m.properties());

  // Another field takes them along.
  Message later("x");
  later.set_property("a", Value(1)).set_id("an id").set_subject("s");
  CHECK(driver::LightPropertiesOf(later) == nullptr);
  CHECK(*later.properties().Find("a") == Value(1));
  CHECK(later.id() == "an id");
  later.clear(Field::kSubject);
  CHECK(later.properties().size() == 1);

  // What a copy of it asks for does not take it from who reads.
  Message one("x");
  one.set_property("a", Value(1));
  const Message other = one;
  const Properties& properties = one.properties();
  CHECK(driver::FieldsOf(other).properties.size() == 1);
  CHECK(properties.size() == 1);
  CHECK(driver::LightPropertiesOf(Message())->empty());
}

TEST_CASE("messages may be freed on another thread than made them") {
  constexpr int kCount = 20000;
  std::vector<Message> messages;
  messages.reserve(kCount);
  for (int i = 0; i < kCount; ++i) messages.emplace_back("0123456789");
  size_t bytes = 0;
  std::thread other([&] {
    for (Message& m : messages) bytes += m.body_view().size();
    messages.clear();
  });
  other.join();
  CHECK(bytes == 10 * kCount);
}

}  // namespace
}  // namespace tieline
