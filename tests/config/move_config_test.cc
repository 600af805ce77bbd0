// What a config says about moves: generations, former brokers, `move`.
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "tests/support/catch.h"
#include "tieline/config.h"

namespace tieline {
namespace {

constexpr char kBrokers[] = R"(
brokers:
  primary: { url: "memory://a" }
  fresh: { url: "memory://b" }
  spare: { url: "memory://c" }
)";

Config Parsed(const std::string& text) {
  auto config = Config::FromText(kBrokers + text, "x.yaml", "/conf");
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  return *std::move(config);
}

QueueConfig Queue(const std::string& fields) {
  return Parsed("queues: { q: { " + fields + " } }\n").queues.at("q");
}

// "primary 1, fresh 2; 3".
std::string Bindings(const QueueConfig& queue) {
  std::string text;
  for (const FormerBroker& former : queue.was) {
    text += former.broker + " " + std::to_string(former.generation);
    if (!former.entity.empty()) text += " " + former.entity;
    text += "; ";
  }
  return text + queue.broker + " " + std::to_string(queue.generation);
}

TEST_CASE("generations that are left out are counted") {
  CHECK(Bindings(Queue("broker: primary")) == "primary 1");
  CHECK(Bindings(Queue("broker: primary, generation: 7")) == "primary 7");
  CHECK(Bindings(Queue("broker: fresh, was: [ primary ]")) ==
        "primary 1; fresh 2");
  CHECK(Bindings(Queue("broker: fresh, was: [ primary, spare ]")) ==
        "primary 1; spare 2; fresh 3");
  CHECK(Bindings(Queue("broker: fresh, generation: 9, was: [ primary ]")) ==
        "primary 8; fresh 9");
  CHECK(Bindings(Queue("broker: fresh, generation: 9, was: [ primary, "
                       "{ broker: spare, generation: 5 } ]")) ==
        "primary 4; spare 5; fresh 9");
}

TEST_CASE("a former broker may have had another name for the queue") {
  CHECK(Bindings(Queue("broker: fresh, was: [ { broker: primary, "
                       "generation: 1, entity: old } ]")) ==
        "primary 1 old; fresh 2");
  // The same broker is another place then.
  CHECK(
      Bindings(Queue("broker: fresh, was: [ { broker: fresh, entity: o } ]")) ==
      "fresh 1 o; fresh 2");
}

TEST_CASE("a queue may come back to a broker that it was at") {
  CHECK(Bindings(Queue("broker: primary, was: [ primary, fresh ]")) ==
        "primary 1; fresh 2; primary 3");
}

TEST_CASE("how queues are moved is read") {
  const MoveConfig defaults = Parsed("").move;
  CHECK(defaults.when_dead == WhenDead::kHold);
  CHECK(defaults.dead_after == absl::Seconds(30));
  const MoveConfig move = Parsed(R"(
move:
  when_dead: proceed
  dead_after: 1m
  fence_timeout: 2s
  retire_time: 3s
  quiet_period: 500ms
  members: [ other.db.sock, /run/third.sock ]
)")
                              .move;
  CHECK(move.when_dead == WhenDead::kProceed);
  CHECK(move.dead_after == absl::Minutes(1));
  CHECK(move.fence_timeout == absl::Seconds(2));
  CHECK(move.retire_time == absl::Seconds(3));
  CHECK(move.quiet_period == absl::Milliseconds(500));
  CHECK(move.members ==
        std::vector<std::string>{"/conf/other.db.sock", "/run/third.sock"});
}

TEST_CASE("how long second copies are known is read") {
  const QueueConfig defaults =
      Parsed("queues: { q: { broker: fresh } }\n").queues.at("q");
  CHECK(defaults.dedupe == absl::ZeroDuration());
  CHECK(defaults.dedupe_ids == 100'000);
  CHECK(defaults.ids == MessageIds::kStamped);
  const Config config = Parsed(R"(
queues:
  q: { broker: fresh, dedupe: 10m, dedupe_ids: 5000, ids: unique }
state: { file: s.db }
)");
  const QueueConfig& queue = config.queues.at("q");
  CHECK(queue.dedupe == absl::Minutes(10));
  CHECK(queue.dedupe_ids == 5000);
  CHECK(queue.ids == MessageIds::kUnique);
  const auto again = Config::FromText(config.ToYaml());
  REQUIRE(again.ok());
  CHECK(again->queues.at("q").dedupe == absl::Minutes(10));
  CHECK(again->queues.at("q").ids == MessageIds::kUnique);
}

TEST_CASE("second copies are not known without a file, nor for ever") {
  Config config = Parsed("queues: { q: { broker: fresh } }\n");
  const auto refused = [&](const std::string& expected) {
    const absl::Status status = config.Validate();
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message().find(expected) != std::string::npos);
  };
  QueueConfig& queue = config.queues.at("q");
  queue.dedupe = absl::Hours(1);
  refused("queues.q.dedupe: needs a file to keep ids in");
  config.state_file = "s.db";
  CHECK(config.Validate().ok());
  queue.dedupe = -absl::Seconds(1);
  refused("queues.q.dedupe: is out of range");
  queue.dedupe = absl::InfiniteDuration();
  refused("queues.q.dedupe: is out of range");
  queue.dedupe = absl::Hours(1);
  queue.dedupe_ids = 0;
  refused("queues.q.dedupe_ids: is out of range");
}

TEST_CASE("when messages go to disk is read") {
  const Config defaults = Parsed("queues: { q: { broker: fresh } }\n");
  CHECK(defaults.queues.at("q").spool == absl::ZeroDuration());
  CHECK(defaults.spool_bytes == uint64_t{256} << 20);
  Config config = Parsed(R"(
queues:
  q: { broker: fresh, spool: 2s, retain: 10m }
  r: { broker: fresh }
routes: [ { from: r, to: q, accept_spooled: true } ]
state: { file: s.db, spool_bytes: 2MiB }
)");
  CHECK(config.queues.at("q").spool == absl::Seconds(2));
  CHECK(config.queues.at("q").retain == absl::Minutes(10));
  CHECK(config.spool_bytes == 2 << 20);
  CHECK(config.routes.front().accept_spooled);
  const auto again = Config::FromText(config.ToYaml());
  REQUIRE(again.ok());
  CHECK(again->queues.at("q").spool == absl::Seconds(2));
  CHECK(again->queues.at("q").retain == absl::Minutes(10));
  CHECK(again->spool_bytes == 2 << 20);
  CHECK(again->routes.front().accept_spooled);

  const auto refused = [&](const std::string& expected) {
    const absl::Status status = config.Validate();
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message().find(expected) != std::string::npos);
  };
  config.spool_bytes = 1000;
  refused("state.spool_bytes: is out of range");
  config.spool_bytes = 1 << 20;
  for (const absl::Duration after :
       {absl::Milliseconds(1), -absl::Seconds(1), absl::Hours(25)}) {
    config.queues.at("q").spool = after;
    refused("queues.q.spool: is out of range");
  }
  config.queues.at("q").spool = absl::Seconds(2);
  for (const absl::Duration keep :
       {absl::Milliseconds(1), -absl::Seconds(1), absl::Hours(25)}) {
    config.queues.at("q").retain = keep;
    refused("queues.q.retain: is out of range");
  }
  config.queues.at("q").retain = absl::Minutes(10);
  config.state_file.clear();
  refused("queues.q.spool: needs a file to keep messages in");
  refused("queues.q.retain: needs a file to keep messages in");
}

TEST_CASE("a printed config with moves reads back the same") {
  const Config config = Parsed(R"(
queues:
  a: { broker: fresh, was: [ primary, { broker: spare, entity: old } ] }
  b: { broker: spare, generation: 4 }
  c: { broker: spare }
move: { when_dead: proceed, members: [ "a b.sock" ] }
)");
  const std::string text = config.ToYaml();
  const auto again = Config::FromText(text);
  INFO(text);
  REQUIRE(again.ok());
  CHECK(again->ToYaml() == text);
  CHECK(Bindings(again->queues.at("a")) == "primary 1; spare 2 old; fresh 3");
  CHECK(again->queues.at("b").generation == 4);
  CHECK(again->move.members == std::vector<std::string>{"/conf/a b.sock"});
  CHECK(text.find("generation: 1\n") != std::string::npos);
  CHECK(text.find("dead_after") == std::string::npos);
}

TEST_CASE("moves of configs made in code are checked as well") {
  Config config = Parsed("queues: { q: { broker: fresh } }\n");
  const auto refused = [&](const std::string& expected) {
    const absl::Status status = config.Validate();
    INFO(status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(MessageOf(status)).find(expected) != std::string::npos);
  };
  QueueConfig& queue = config.queues.at("q");
  queue.was = {{"primary", 1, ""}};
  refused("queues.q.was[0].generation: 1 is not below the queue's (1)");
  queue.generation = 2;
  CHECK(config.Validate().ok());
  queue.was[0].generation = 0;
  refused("queues.q.was[0].generation: is below 1");
  queue.was = {{"fresh", 1, ""}};
  refused("queues.q.was[0].broker: \"fresh\" is the queue's broker too");
  queue.was.assign(16, FormerBroker{"primary", 1, ""});
  refused("queues.q.was: names 16 brokers");
  queue.was.clear();
  queue.generation = 0;
  refused("queues.q.generation: 0 is out of range");
  queue.generation = 1;
  config.move.dead_after = absl::ZeroDuration();
  refused("move.dead_after: is out of range");
  config.move.dead_after = absl::InfiniteDuration();
  refused("move.dead_after: is out of range");
  config.move.dead_after = absl::Seconds(1);
  config.move.members = {"a.sock", "a.sock"};
  refused("move.members[1]: is given twice");
}

TEST_CASE("the generation of a queue is no parameter of a URL") {
  Config config;
  const auto queue = config.AddUrl("memory://m/q?generation=2");
  REQUIRE_FALSE(queue.ok());
  CHECK(std::string(MessageOf(queue.status())).find("unknown") !=
        std::string::npos);
  const std::string name = *config.AddUrl("memory://m/q");
  CHECK(*config.AddUrl("memory://m/q") == name);
  // A queue that was moved is another one.
  config.queues.at(name).generation = 2;
  config.queues.at(name).was = {{"x", 1, ""}};
  CHECK(*config.AddUrl("memory://m/q") == name + "#2");
}

}  // namespace
}  // namespace tieline
