// Moves written into a config's text: what they change, and what they leave.
#include "lib/config/edit.h"

#include <string>

#include "lib/base/status.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

using config::DropWas;
using config::EditMove;
using config::QueueBinding;
using config::ReadBinding;
using config::WriteBinding;

constexpr char kBrokers[] =
    "brokers:\n"
    "  primary: { url: \"memory://a\" }  # the old one\n"
    "  fresh: { url: \"memory://b\" }\n"
    "  spare: { url: \"memory://c\" }\n";

// The text below `queues:` after the move of q, and that the rest stays.
std::string Moved(const std::string& queues, const std::string& to = "fresh",
                  uint64_t generation = 0) {
  const std::string before = kBrokers + ("queues:\n" + queues);
  const auto after = EditMove(before, "q", to, generation);
  INFO(queues);
  INFO(after.status().ToString());
  REQUIRE(after.ok());
  const std::string head = kBrokers + std::string("queues:\n");
  REQUIRE(after->substr(0, head.size()) == head);
  // A config as well for the parser.
  const auto config = Config::FromText(*after);
  INFO(*after);
  INFO(config.status().ToString());
  CHECK(config.ok());
  return after->substr(head.size());
}

std::string Dropped(const std::string& queues, const std::string& broker) {
  const std::string head = kBrokers + std::string("queues:\n");
  const auto after = DropWas(head + queues, "q", broker);
  INFO(queues);
  INFO(after.status().ToString());
  REQUIRE(after.ok());
  return after->substr(head.size());
}

TEST_CASE("a move is written into a queue of one line") {
  CHECK(Moved("  q: { broker: primary }\n") ==
        "  q: { broker: fresh, generation: 2, was: [ primary ] }\n");
  CHECK(Moved("  q: {broker: primary, entity: x}  # why\n") ==
        "  q: {broker: fresh, generation: 2, was: [ primary ], entity: x}"
        "  # why\n");
  CHECK(Moved("  q: { entity: x, broker: \"primary\" }") ==
        "  q: { entity: x, broker: fresh, generation: 2, was: [ primary ] }");
  CHECK(Moved("  q: { entity: \"a#b, {c\", broker: 'primary', }\n") ==
        "  q: { entity: \"a#b, {c\", broker: fresh, generation: 2, "
        "was: [ primary ], }\n");
}

TEST_CASE("a move is written into a queue of several lines") {
  CHECK(Moved("  # first\n"
              "  q:   # queue\n"
              "    broker: primary   # moved often\n"
              "    # its name there\n"
              "    entity: x\n"
              "\n"
              "  other: { broker: primary }\n") ==
        "  # first\n"
        "  q:   # queue\n"
        "    broker: fresh   # moved often\n"
        "    generation: 2\n"
        "    was: [ primary ]\n"
        "    # its name there\n"
        "    entity: x\n"
        "\n"
        "  other: { broker: primary }\n");
  CHECK(Moved("  q:\n    entity: x\n    broker: primary") ==
        "  q:\n    entity: x\n    broker: fresh\n    generation: 2\n"
        "    was: [ primary ]");
  CHECK(Moved("  q: {\n    broker: primary,  # here\n    entity: x\n  }\n") ==
        "  q: {\n    broker: fresh, generation: 2, was: [ primary ],  # here\n"
        "    entity: x\n  }\n");
}

TEST_CASE("line breaks stay as they are") {
  CHECK(Moved("  q:\r\n    broker: primary\r\n    entity: x\r\n") ==
        "  q:\r\n    broker: fresh\r\n    generation: 2\r\n"
        "    was: [ primary ]\r\n    entity: x\r\n");
}

TEST_CASE("a second move extends what the first one wrote") {
  CHECK(Moved("  q: { broker: fresh, generation: 2, was: [ primary ] }\n",
              "spare") ==
        "  q: { broker: spare, generation: 3, was: [ primary, fresh ] }\n");
  CHECK(Moved("  q: { broker: fresh, was: [ primary ] }\n", "spare") ==
        "  q: { broker: spare, generation: 3, was: [ primary, fresh ] }\n");
  CHECK(Moved("  q: { broker: fresh, was: [primary,] }\n", "primary") ==
        "  q: { broker: primary, generation: 3, was: [primary, fresh,] }\n");
  CHECK(Moved("  q:\n    broker: fresh\n    generation: 2\n    was:\n"
              "      - primary  # still full\n    entity: x\n",
              "spare") ==
        "  q:\n    broker: spare\n    generation: 3\n    was:\n"
        "      - primary  # still full\n      - fresh\n    entity: x\n");
  CHECK(Moved("  q:\n    was:\n    -   broker: primary\n"
              "        generation: 1\n    broker: fresh\n",
              "spare") ==
        "  q:\n    was:\n    -   broker: primary\n"
        "        generation: 1\n    -   fresh\n    broker: spare\n"
        "    generation: 3\n");
}

TEST_CASE("an empty list of former brokers is filled") {
  CHECK(Moved("  q: { broker: primary, was: [] }\n") ==
        "  q: { broker: fresh, generation: 2, was: [ primary ] }\n");
  CHECK(Moved("  q:\n    was:  # none\n    broker: primary\n") ==
        "  q:\n    was: [ primary ]  # none\n    broker: fresh\n"
        "    generation: 2\n");
}

TEST_CASE("generations that can't be counted are written out") {
  CHECK(Moved("  q: { broker: primary, generation: 3 }\n", "fresh", 9) ==
        "  q: { broker: fresh, generation: 9, "
        "was: [ { broker: primary, generation: 3 } ] }\n");
  CHECK(Moved("  q: { broker: fresh, was: [ primary ] }\n", "spare", 7) ==
        "  q: { broker: spare, generation: 7, "
        "was: [ primary, { broker: fresh, generation: 2 } ] }\n");
}

TEST_CASE("JSON stays JSON") {
  const std::string before =
      R"({"brokers":{"a":{"url":"memory://a"},"b":{"url":"memory://b"}},)"
      R"("queues":{"q":{"broker":"a","entity":"x"}}})";
  const auto after = EditMove(before, "q", "b");
  REQUIRE(after.ok());
  CHECK(*after ==
        R"({"brokers":{"a":{"url":"memory://a"},"b":{"url":"memory://b"}},)"
        R"("queues":{"q":{"broker":"b", "generation": 2, "was": [ "a" ],)"
        R"("entity":"x"}}})");
}

TEST_CASE("names of any letters are found and written") {
  const std::string before =
      "\xef\xbb\xbf"
      "brokers: { ключ: { url: \"memory://a\" }, \"b 2\": { url: "
      "\"memory://b\" } }\n"
      "queues: { 'ö': { broker: ключ } }\n";
  const auto after = EditMove(before, "ö", "b 2");
  INFO(after.status().ToString());
  REQUIRE(after.ok());
  CHECK(after->substr(after->find("queues")) ==
        "queues: { 'ö': { broker: \"b 2\", generation: 2, was: [ \"ключ\" ] } "
        "}\n");
}

TEST_CASE("a drained broker is taken out") {
  CHECK(Dropped("  q: { broker: fresh, generation: 2, was: [ primary ] }\n",
                "primary") == "  q: { broker: fresh, generation: 2 }\n");
  CHECK(Dropped("  q: { was: [ primary ], broker: fresh }\n", "primary") ==
        "  q: { broker: fresh, generation: 2 }\n");
  CHECK(Dropped("  q:\n    broker: fresh\n    was:\n      - primary\n"
                "    entity: x\n",
                "primary") ==
        "  q:\n    broker: fresh\n    generation: 2\n    entity: x\n");
  CHECK(Dropped("  q:\n    broker: fresh\n    was: [ primary ]", "primary") ==
        "  q:\n    broker: fresh\n    generation: 2\n");
  CHECK(
      Dropped("  q: { broker: spare, was: [ primary, fresh ] }\n", "primary") ==
      "  q: { broker: spare, generation: 3, was: [ fresh ] }\n");
  CHECK(Dropped("  q:\n    broker: spare\n    was:\n    - primary  # a\n"
                "    # b\n    - fresh\n",
                "primary") ==
        "  q:\n    broker: spare\n    generation: 3\n    was:\n    # b\n"
        "    - fresh\n");
}

TEST_CASE("what is left behind keeps its generation") {
  CHECK(Dropped("  q: { broker: spare, was: [ primary, fresh ] }\n", "fresh") ==
        "  q: { broker: spare, generation: 3, "
        "was: [ { broker: primary, generation: 1 } ] }\n");
  CHECK(Dropped("  q:\n    broker: spare\n    was:\n"
                "      - broker: primary\n      - fresh\n",
                "fresh") ==
        "  q:\n    broker: spare\n    generation: 3\n    was:\n"
        "      - broker: primary\n        generation: 1\n");
}

TEST_CASE("a binding that the text has already changes nothing") {
  const std::string text =
      kBrokers + std::string(
                     "queues:\n  q: { broker: fresh, was: [ primary ] "
                     "}\n");
  const auto binding = ReadBinding(text, "q");
  REQUIRE(binding.ok());
  CHECK(binding->generation == 2);
  CHECK(*WriteBinding(text, "q", *binding) == text);
  // Another list altogether.
  const QueueBinding other = {"primary", 9, {{"spare", 7, "old"}}};
  const auto written = WriteBinding(text, "q", other);
  REQUIRE(written.ok());
  CHECK(written->substr(written->find("queues")) ==
        "queues:\n  q: { broker: primary, generation: 9, "
        "was: [ { broker: spare, generation: 7, entity: old } ] }\n");
  CHECK(*ReadBinding(*written, "q") == other);
}

std::string Refused(const absl::StatusOr<std::string>& result,
                    absl::StatusCode code) {
  INFO(result.status().ToString());
  REQUIRE_FALSE(result.ok());
  CHECK(result.status().code() == code);
  return std::string(MessageOf(result.status()));
}

TEST_CASE("what can't be edited is told, with the edit to make by hand") {
  const std::string brokers = kBrokers;
  for (const char* queues :
       {"queues: &all { q: { broker: primary } }\n",
        "x: &b primary\nqueues: { q: { broker: *b } }\n",
        "base: &q { broker: primary }\nqueues: { q: { <<: *q } }\n"}) {
    const std::string text = Refused(EditMove(brokers + queues, "q", "fresh"),
                                     absl::StatusCode::kFailedPrecondition);
    CHECK(text.find("by hand: under queues, q: put the present broker") !=
          std::string::npos);
    const std::string known = Refused(
        WriteBinding(brokers + queues, "q", {"fresh", 2, {{"primary", 1, ""}}}),
        absl::StatusCode::kFailedPrecondition);
    CHECK(known.find("by hand: under queues, q: broker: fresh, generation: 2, "
                     "was: [ { broker: primary, generation: 1 } ]") !=
          std::string::npos);
  }
  for (const char* queue :
       {"  q: { broker: !!str primary }\n",
        "  q:\n    broker: |-\n      primary\n", "  ? q\n  : broker: primary\n",
        "  q: { broker: primary, \"<<\": { entity: x } }\n"}) {
    INFO(queue);
    const std::string text =
        Refused(EditMove(brokers + "queues:\n" + queue, "q", "fresh"),
                absl::StatusCode::kFailedPrecondition);
    CHECK(text.find("by hand: under queues, q: broker: fresh, generation: ") !=
          std::string::npos);
  }
}

TEST_CASE("the state file is found without any secret") {
  const std::string secret =
      "brokers: { a: { url: amqps://h, auth: { user: u, password: { env: "
      "TIELINE_NOT_SET } } } }\n";
  CHECK(*config::ReadStateFile(secret + "state: { file: b.db }", "/conf") ==
        "/conf/b.db");
  CHECK(*config::ReadStateFile(secret + "state: { file: /b.db }", "x") ==
        "/b.db");
  CHECK(config::ReadStateFile(secret, "x")->empty());
  CHECK_FALSE(config::ReadStateFile("state: [", "x").ok());
}

TEST_CASE("a move that can't be is refused before anything is written") {
  const std::string text =
      kBrokers + std::string("queues:\n  q: { broker: primary }\n");
  using C = absl::StatusCode;
  CHECK(
      Refused(EditMove(text, "p", "fresh"), C::kNotFound).find("expected q") !=
      std::string::npos);
  CHECK(Refused(EditMove(text, "q", "frsh"), C::kInvalidArgument)
            .find("did you mean \"fresh\"?") != std::string::npos);
  CHECK(Refused(EditMove(text, "q", "primary"), C::kInvalidArgument)
            .find("already") != std::string::npos);
  CHECK(Refused(WriteBinding(text, "q", {"fresh", 1, {{"primary", 1, ""}}}),
                C::kInvalidArgument)
            .find("not below") != std::string::npos);
  CHECK(Refused(DropWas(text, "q", "fresh"), C::kNotFound).find("was") !=
        std::string::npos);
  Refused(EditMove("queues: [", "q", "fresh"), C::kInvalidArgument);
  Refused(EditMove("", "q", "fresh"), C::kNotFound);
  Refused(EditMove("queues: { q: { broker: a, generation: x } }", "q", "b"),
          C::kInvalidArgument);
}

}  // namespace
}  // namespace tieline
