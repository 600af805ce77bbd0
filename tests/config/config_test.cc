#include "tieline/config.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "lib/base/status.h"
#include "lib/config/field_text.h"
#include "lib/config/schema.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

constexpr char kWhole[] = R"(
brokers:
  primary:
    url: amqps://b1.example.net:5671
    auth: { user: bridge, password: { env: TIELINE_TEST_SECRET } }
    connect_timeout: 3s
  events:
    url: "kafka://k1:9092,k2:9092"
    tls: { server_name: kafka.example.net }
    settings: { client.id: bridge }
  near: { url: "amqp://[::1]:5672" }
queues:
  observations: { broker: primary, ordered: key }
  history:
    broker: events
    entity: observations.v1
    group: bridge
    member: bridge-1
    start: "2026-01-31T12:00:00Z"
    dead_letter: lost
    create: true
    partitions: 12
    tuning: latency
    settings: { linger.ms: 5 }
routes:
  - from: observations
    to: history
    dead_letter_after: 3
    credit: 100
    credit_bytes: 1 MiB
    retry_min: 10ms
    retry_max: 1s
    steps:
      - where: { type: order.created, level: { ubyte: 3 } }
      - where_not: { test: true }
      - set: { region: eu, n: 5, x: 1.5, none: null, text: "5" }
      - rename: { a: b }
      - drop: [c, d]
      - key_from: charger
      - key: "fixed key"
  - { name: second, from: history, to: "memory://m/copy?ordered=key" }
state: { file: bridge.db }
)";

void SetSecret() { setenv("TIELINE_TEST_SECRET", "hunter2", 1); }

Config Parsed(std::string_view text) {
  auto config = Config::FromText(text);
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  return *std::move(config);
}

TEST_CASE("a whole config is read") {
  SetSecret();
  const Config config = Parsed(kWhole);
  REQUIRE(config.brokers.size() == 4);
  const BrokerConfig& primary = config.brokers.at("primary");
  CHECK(primary.name == "primary");
  CHECK(primary.tls.enabled);
  CHECK(primary.auth.user == "bridge");
  CHECK(primary.auth.password.Reveal() == "hunter2");
  CHECK(primary.connect_timeout == absl::Seconds(3));
  const BrokerConfig& events = config.brokers.at("events");
  CHECK(events.tls.enabled);
  CHECK(events.url.HostList(0) == "k1:9092,k2:9092");
  CHECK(events.settings.at("client.id") == "bridge");

  CHECK(config.queues.at("observations").entity == "observations");
  CHECK(config.queues.at("observations").ordered == Order::kPerKey);
  const QueueConfig& history = config.queues.at("history");
  CHECK(history.entity == "observations.v1");
  CHECK(history.group == "bridge");
  CHECK(history.member == "bridge-1");
  CHECK(history.dead_letter_entity == "lost");
  CHECK(history.create);
  CHECK(history.partitions == 12);
  CHECK(history.tuning == Tuning::kLatency);
  CHECK(history.settings.at("linger.ms") == "5");
  CHECK(config.state_file == "bridge.db");
}

TEST_CASE("routes and their steps are read") {
  SetSecret();
  const Config config = Parsed(kWhole);
  REQUIRE(config.routes.size() == 2);
  const RouteConfig& route = config.routes[0];
  CHECK(route.name == "observations->history");
  CHECK(route.dead_letter_after == 3);
  CHECK(route.credit == 100);
  CHECK(route.credit_bytes == 1 << 20);
  CHECK(route.retry_min == absl::Milliseconds(10));
  CHECK(route.retry_max == absl::Seconds(1));
  using K = RouteStep::Kind;
  REQUIRE(route.steps.size() == 13);
  CHECK(route.steps[0].kind == K::kWhere);
  CHECK(route.steps[0].name == "type");
  CHECK(route.steps[0].value == Value("order.created"));
  CHECK(route.steps[1].value == Value::Unsigned(Type::kUByte, 3));
  CHECK(route.steps[2].kind == K::kWhereNot);
  CHECK(route.steps[2].value == Value(true));
  CHECK(route.steps[3].value == Value("eu"));
  CHECK(route.steps[4].value == Value(int64_t{5}));
  CHECK(route.steps[5].value == Value(1.5));
  CHECK(route.steps[6].value == Value());
  CHECK(route.steps[7].value == Value("5"));
  CHECK(route.steps[8].kind == K::kRename);
  CHECK(route.steps[8].to == "b");
  CHECK(route.steps[10].kind == K::kDrop);
  CHECK(route.steps[10].name == "d");
  CHECK(route.steps[11].kind == K::kKeyFrom);
  CHECK(route.steps[11].name == "charger");
  CHECK(route.steps[12].kind == K::kKeySet);
  CHECK(route.steps[12].to == "fixed key");
  CHECK(config.routes[1].name == "second");
  CHECK(config.routes[1].to == "memory://m/copy");
  CHECK(config.queues.at("memory://m/copy").ordered == Order::kPerKey);
  CHECK(config.brokers.count("memory://m") == 1);
}

TEST_CASE("a printed config reads back the same, without secrets") {
  SetSecret();
  const std::string text = Parsed(kWhole).ToYaml();
  CHECK(text.find("hunter2") == std::string::npos);
  REQUIRE(text.find("password: \"***\"") != std::string::npos);
  std::string with_reference = text;
  with_reference.replace(text.find("\"***\""), 5,
                         "{ env: TIELINE_TEST_SECRET }");
  CHECK(Parsed(with_reference).ToYaml() == text);
}

TEST_CASE("an empty config is a config") {
  CHECK(Parsed("").brokers.empty());
  CHECK(Parsed("brokers:\nqueues:\nroutes:\n").routes.empty());
  CHECK(Config().Validate().ok());
}

TEST_CASE("files are found beside the config") {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("tieline-config-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "pw") << "from-file\n";
  std::ofstream(folder / "ca.pem") << "pem";
  const std::string path = (folder / "bridge.yaml").string();
  std::ofstream(path) << "brokers:\n  a:\n    url: amqps://h.example.net\n"
                         "    tls: { ca: ca.pem }\n"
                         "    auth: { user: u, password: { file: pw } }\n";
  const auto config = Config::FromFile(path);
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  const BrokerConfig& broker = config->brokers.at("a");
  CHECK(broker.auth.password.Reveal() == "from-file");
  CHECK(std::filesystem::exists(broker.tls.ca_file));

  std::ofstream(path) << std::string((1 << 20) + 1, '#');
  CHECK(Config::FromFile(path).status().code() ==
        absl::StatusCode::kInvalidArgument);
  std::filesystem::remove_all(folder);
  CHECK(Config::FromFile(path).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a URL becomes a broker and a queue") {
  SetSecret();
  Config config;
  const auto queue = config.AddUrl(
      "kafka://k1:9093/orders?group=g&ordered=key&tls=true&user=u"
      "&password_env=TIELINE_TEST_SECRET&sasl=scram-sha-512&create=true"
      "&set.linger.ms=5&broker.set.client.id=me&connect_timeout=2s");
  INFO(queue.status().ToString());
  REQUIRE(queue.ok());
  CHECK(*queue == "kafka://k1:9093/orders");
  const QueueConfig& made = config.queues.at(*queue);
  CHECK(made.entity == "orders");
  CHECK(made.group == "g");
  CHECK(made.ordered == Order::kPerKey);
  CHECK(made.create);
  CHECK(made.settings.at("linger.ms") == "5");
  const BrokerConfig& broker = config.brokers.at(made.broker);
  CHECK(broker.name == "kafka://k1:9093");
  CHECK(broker.tls.enabled);
  CHECK(broker.auth.sasl == SaslMechanism::kScramSha512);
  CHECK(broker.auth.password.Reveal() == "hunter2");
  CHECK(broker.settings.at("client.id") == "me");
  CHECK(broker.connect_timeout == absl::Seconds(2));
  CHECK(broker.url.params.empty());
  CHECK(config.Validate().ok());
}

TEST_CASE("the same URL is the same queue, another has another name") {
  Config config;
  const std::string first = *config.AddUrl("kafka://localhost/a?group=x");
  CHECK(*config.AddUrl("kafka://localhost/a?group=x") == first);
  const std::string second = *config.AddUrl("kafka://localhost/a?group=y");
  CHECK(second == "kafka://localhost/a#2");
  CHECK(config.queues.at(second).broker == config.queues.at(first).broker);
  const std::string third =
      *config.AddUrl("kafka://localhost/a?idle_timeout=1s");
  CHECK(config.queues.at(third).broker == "kafka://localhost#2");
}

TEST_CASE("a password in a URL is taken on this machine or over TLS") {
  Config config;
  const auto queue = config.AddUrl("amqp://u:p%40ss@127.0.0.1:5672/a");
  REQUIRE(queue.ok());
  CHECK(*queue == "amqp://127.0.0.1:5672/a");
  const BrokerConfig& broker =
      config.brokers.at(config.queues.at(*queue).broker);
  CHECK(broker.auth.user == "u");
  CHECK(broker.auth.password.Reveal() == "p@ss");
  CHECK(config.AddUrl("amqps://u:p@broker.example.net/a").ok());
  CHECK(config.ToYaml().find("p@ss") == std::string::npos);
}

TEST_CASE("a broker's URL needs no entity") {
  Config config;
  CHECK(*config.AddBrokerUrl("amqp://localhost:1234") ==
        "amqp://localhost:1234");
  CHECK(config.queues.empty());
}

TEST_CASE("plaintext stays on this machine unless it is allowed") {
  for (const char* url :
       {"amqp://localhost/a", "amqp://127.8.8.8/a", "amqp://[::1]/a",
        "memory://anything/a", "amqp://h.example.net/a?allow_plaintext=true",
        "kafka://h.example.net/a?tls=true"}) {
    INFO(url);
    CHECK(Config().AddUrl(url).ok());
  }
  for (const char* url : {"amqp://127.example.net/a", "kafka://10.0.0.1/a",
                          "amqp://localhost,h.example.net/a"}) {
    INFO(url);
    CHECK_FALSE(Config().AddUrl(url).ok());
  }
}

TEST_CASE("configs made in code are checked as well") {
  Config config;
  config.queues["q"].broker = "nowhere";
  RouteConfig route;
  route.from = "q";
  route.to = "missing";
  route.credit = 0;
  config.routes.push_back(route);
  const std::string text(MessageOf(config.Validate()));
  CHECK(text.find("queues.q.broker") != std::string::npos);
  CHECK(text.find("routes[0].to") != std::string::npos);
  CHECK(text.find("routes[0].credit") != std::string::npos);
}

// The default as it is documented, parsed, is the default that holds.
void CheckDefaults(const config::Object& object) {
  for (const config::Field& field : object.fields) {
    INFO(object.name << "." << field.name);
    CHECK_FALSE(field.doc.empty());
    if (field.object != nullptr) CheckDefaults(*field.object);
    if (field.default_text.empty()) continue;
    const auto value = config::ParseFieldText(field, field.default_text, "");
    REQUIRE(value.ok());
    CHECK(config::FieldText(field, *value) ==
          config::FieldText(field, field.binding.get(object.defaults)));
  }
}

TEST_CASE("documented defaults are the real ones") {
  CheckDefaults(config::RootObject());
}

TEST_CASE("the reference and the schema name every field") {
  const std::string reference = Config::ReferenceMarkdown();
  const std::string schema = Config::JsonSchema();
  for (const config::Object* object :
       {&config::BrokerObject(), &config::TlsObject(), &config::AuthObject(),
        &config::QueueObject(), &config::RouteObject(),
        &config::FormerBrokerObject(), &config::MoveObject(),
        &config::StateObject()}) {
    for (const config::Field& field : object->fields) {
      INFO(field.name);
      const std::string name(field.name);
      CHECK(reference.find("| `" + name + "` |") != std::string::npos);
      CHECK(schema.find("\"" + name + "\": {") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace tieline
