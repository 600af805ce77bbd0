// What a message is known by.
#include "lib/engine/inbox_id.h"

#include <string>

#include "lib/store/batch.h"
#include "tests/support/catch.h"
#include "tieline/message.h"
#include "tieline/value.h"

namespace tieline {
namespace {

const SourcePlace kPlace{"primary", "orders", 3, 1742};

std::string IdOf(const Message& message, bool unique,
                 const SourcePlace& place = kPlace) {
  std::string id = "of the message before";
  return InboxIdOf(message, unique, place, &id) ? id : "none";
}

TEST_CASE("a message without an id is known by its place") {
  CHECK(IdOfPlace(kPlace) == "primary/orders/3/1742");
  CHECK(IdOf(Message("m"), true) == "pprimary/orders/3/1742");
  CHECK(IdOf(Message("m"), false) == "pprimary/orders/3/1742");
}

TEST_CASE("names do not run into each other") {
  CHECK(IdOfPlace({"a/b", "c", 0, 1}) == "a%2Fb/c/0/1");
  CHECK(IdOfPlace({"a", "b/c", 0, 1}) == "a/b%2Fc/0/1");
  CHECK(IdOfPlace({"a%2Fb", "c", 0, 1}) == "a%252Fb/c/0/1");
}

TEST_CASE("an id counts where it is said to be unique") {
  Message message("m");
  message.set_id("id-1");
  CHECK(IdOf(message, true).ends_with("id-1"));
  CHECK(IdOf(message, false) == "pprimary/orders/3/1742");
}

TEST_CASE("ids of the same text and another type differ") {
  Message text("m");
  text.set_id("17");
  Message number("m");
  number.set_id("17", Type::kULong);
  CHECK(IdOf(text, true) != IdOf(number, true));
  // And an id is no place.
  Message place("m");
  place.set_id("primary/orders/3/1742");
  CHECK(IdOf(place, true) != IdOf(Message("m"), true));
}

TEST_CASE("without id and place a message can't be told from others") {
  Message message("m");
  CHECK(IdOfPlace({"primary", "orders", 0, -1}).empty());
  CHECK(IdOf(message, true, {"primary", "orders", 0, -1}) == "none");
  message.set_id("id-1");
  CHECK(IdOf(message, false, {"primary", "orders", 0, -1}) == "none");
  CHECK(IdOf(message, true, {"primary", "orders", 0, -1}) != "none");
}

TEST_CASE("ids that are too long keep apart") {
  Message message("m");
  const std::string longest(StoreBatch::kMaxId - 2, 'x');
  message.set_id(longest);
  CHECK(IdOf(message, true).size() == StoreBatch::kMaxId);
  const auto with = [&](const std::string& id) {
    message.set_id(id);
    std::string known = IdOf(message, true);
    CHECK(known.size() == StoreBatch::kMaxId);
    return known;
  };
  const std::string a = with(longest + "a");
  CHECK(a != with(longest + "b"));
  CHECK(a != with(longest + "aa"));
  CHECK(a == with(longest + "a"));
}

TEST_CASE("a body's digest is that of its bytes or its value") {
  CHECK(BodyDigest(Message("body")) == BodyDigest(Message("body")));
  CHECK(BodyDigest(Message("body")) != BodyDigest(Message("bodz")));
  CHECK(BodyDigest(Message()) != BodyDigest(Message("")));
  Message text;
  text.set_value_body(Value("body"));
  Message symbol;
  symbol.set_value_body(Value::Symbol("body"));
  CHECK(BodyDigest(text) != BodyDigest(Message("body")));
  CHECK(BodyDigest(text) != BodyDigest(symbol));
  Message same;
  same.set_value_body(Value("body")).set_id("other").set_property("p", 1);
  CHECK(BodyDigest(text) == BodyDigest(same));
}

}  // namespace
}  // namespace tieline
