#include "lib/config/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <limits>

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxUInt32 = std::numeric_limits<uint32_t>::max();
constexpr int64_t kMaxBytes = int64_t{1} << 40;

// In the order of the enumerations.
constexpr std::array<std::string_view, 8> kMechanisms = {
    "default",  "none",          "anonymous",     "plain",
    "external", "scram-sha-256", "scram-sha-512", "oauthbearer"};
constexpr std::array<std::string_view, 2> kOrders = {"none", "key"};
constexpr std::array<std::string_view, 2> kTunings = {"latency", "throughput"};

constexpr Binding kItself = {.at = [](void* object) { return object; }};

const std::array kTls = {
    Field{.name = "enabled",
          .kind = Kind::kBool,
          .binding = Bind<&TlsConfig::enabled>(),
          .default_text = "false",
          .doc = "Encrypt the connection. Also on with the schemes `amqps` and "
                 "`kafkas`, or when any other field of `tls` is given.",
          .param = "tls"},
    Field{.name = "ca",
          .kind = Kind::kInputFile,
          .binding = Bind<&TlsConfig::ca_file>(),
          .doc = "PEM file with the certificates to trust. Default: the "
                 "system's.",
          .param = "ca"},
    Field{.name = "cert",
          .kind = Kind::kInputFile,
          .binding = Bind<&TlsConfig::cert_file>(),
          .doc = "PEM file with the client's certificate.",
          .param = "cert"},
    Field{.name = "key",
          .kind = Kind::kSecret,
          .binding = Bind<&TlsConfig::key>(),
          .doc = "The client's private key, PEM.",
          .param = "key"},
    Field{.name = "server_name",
          .binding = Bind<&TlsConfig::server_name>(),
          .doc = "The name that the broker's certificate must carry. Default: "
                 "the host.",
          .param = "server_name"},
    Field{.name = "insecure_skip_verify",
          .kind = Kind::kBool,
          .binding = Bind<&TlsConfig::insecure_skip_verify>(),
          .default_text = "false",
          .doc = "Accept any certificate. Whoever sits between can then read "
                 "and change everything.",
          .param = "insecure_skip_verify"},
};

const std::array kAuth = {
    Field{.name = "sasl",
          .kind = Kind::kChoice,
          .binding = Bind<&AuthConfig::sasl>(),
          .default_text = "default",
          .doc = "SASL mechanism. `default` is `plain` with a user, `external` "
                 "with a client certificate, else `anonymous` (AMQP) or `none` "
                 "(Kafka).",
          .choices = kMechanisms,
          .param = "sasl"},
    Field{.name = "user",
          .binding = Bind<&AuthConfig::user>(),
          .doc = "User name.",
          .param = "user"},
    Field{.name = "password",
          .kind = Kind::kSecret,
          .binding = Bind<&AuthConfig::password>(),
          .doc = "Password.",
          .param = "password"},
};

const std::array kBroker = {
    Field{.name = "url",
          .kind = Kind::kUrl,
          .binding = Bind<&BrokerConfig::url>(),
          .doc = "Scheme and hosts: `amqps://broker.example.net`, "
                 "`kafka://k1:9092,k2:9092`, `memory://name`.",
          .required = true},
    Field{.name = "tls",
          .kind = Kind::kObject,
          .binding = BindObject<&BrokerConfig::tls>(),
          .doc = "Encryption.",
          .object = &TlsObject()},
    Field{.name = "auth",
          .kind = Kind::kObject,
          .binding = BindObject<&BrokerConfig::auth>(),
          .doc = "Who we are.",
          .object = &AuthObject()},
    Field{.name = "allow_plaintext",
          .kind = Kind::kBool,
          .binding = Bind<&BrokerConfig::allow_plaintext>(),
          .default_text = "false",
          .doc = "Permit a connection without TLS to a host other than this "
                 "machine.",
          .param = "allow_plaintext"},
    Field{.name = "connect_timeout",
          .kind = Kind::kDuration,
          .binding = Bind<&BrokerConfig::connect_timeout>(),
          .default_text = "10s",
          .doc = "How long one attempt to connect may take.",
          .param = "connect_timeout"},
    Field{.name = "idle_timeout",
          .kind = Kind::kDuration,
          .binding = Bind<&BrokerConfig::idle_timeout>(),
          .default_text = "30s",
          .doc = "A connection that was silent for so long counts as lost.",
          .param = "idle_timeout"},
    Field{.name = "settings",
          .kind = Kind::kTextMap,
          .binding = Bind<&BrokerConfig::settings>(),
          .doc = "Settings handed to the client library, from the backend's "
                 "list of permitted ones. In a URL: `set.NAME=VALUE`."},
};

const std::array kQueue = {
    Field{.name = "broker",
          .binding = Bind<&QueueConfig::broker>(),
          .doc = "Name of one of `brokers`.",
          .required = true},
    Field{.name = "entity",
          .binding = Bind<&QueueConfig::entity>(),
          .doc = "What the broker calls it: queue, address or topic. Default: "
                 "the queue's name."},
    Field{.name = "ordered",
          .kind = Kind::kChoice,
          .binding = Bind<&QueueConfig::ordered>(),
          .default_text = "none",
          .doc = "`key`: messages with the same key keep their order.",
          .choices = kOrders,
          .param = "ordered"},
    Field{.name = "group",
          .binding = Bind<&QueueConfig::group>(),
          .doc = "Consumer group (Kafka).",
          .param = "group"},
    Field{.name = "member",
          .binding = Bind<&QueueConfig::member>(),
          .doc = "Name of this process in the group (Kafka static "
                 "membership): a quick restart then moves no partitions.",
          .param = "member"},
    Field{.name = "start",
          .binding = Bind<&QueueConfig::start>(),
          .default_text = "earliest",
          .doc = "Where to begin when nothing was read before: `earliest`, "
                 "`latest`, an offset, or a time (RFC 3339).",
          .param = "start"},
    Field{.name = "dead_letter",
          .binding = Bind<&QueueConfig::dead_letter_entity>(),
          .doc = "Entity that takes dead letters where the broker has no way "
                 "of its own. Default: `ENTITY.dead-letter`.",
          .param = "dead_letter"},
    Field{.name = "create",
          .kind = Kind::kBool,
          .binding = Bind<&QueueConfig::create>(),
          .default_text = "false",
          .doc = "Create the entity when it is missing.",
          .param = "create"},
    Field{.name = "partitions",
          .kind = Kind::kInteger,
          .binding = Bind<&QueueConfig::partitions>(),
          .default_text = "0",
          .doc = "Partitions to create it with. 0: the broker's default.",
          .max = 100000,
          .param = "partitions"},
    Field{.name = "tuning",
          .kind = Kind::kChoice,
          .binding = Bind<&QueueConfig::tuning>(),
          .default_text = "throughput",
          .doc = "`latency`: send and read at once. `throughput`: gather for a "
                 "few milliseconds.",
          .choices = kTunings,
          .param = "tuning"},
    Field{.name = "settings",
          .kind = Kind::kTextMap,
          .binding = Bind<&QueueConfig::settings>(),
          .doc = "As a broker's `settings`, for this queue."},
};

const std::array kRoute = {
    Field{.name = "name",
          .binding = Bind<&RouteConfig::name>(),
          .doc = "In counters, logs and `--route`. Default: `FROM->TO`."},
    Field{.name = "from",
          .binding = Bind<&RouteConfig::from>(),
          .doc = "Queue to receive from: a name of `queues`, or a URL.",
          .required = true},
    Field{.name = "to",
          .binding = Bind<&RouteConfig::to>(),
          .doc = "Queue to send to: a name of `queues`, or a URL.",
          .required = true},
    Field{.name = "steps",
          .kind = Kind::kSteps,
          .binding = BindObject<&RouteConfig::steps>(),
          .doc = "What passes, and what is changed on the way, in order."},
    Field{.name = "dead_letter_after",
          .kind = Kind::kInteger,
          .binding = Bind<&RouteConfig::dead_letter_after>(),
          .default_text = "10",
          .doc = "Failures of this route with one message before it is "
                 "dead-lettered. 0: never.",
          .max = kMaxInt32},
    Field{.name = "credit",
          .kind = Kind::kInteger,
          .binding = Bind<&RouteConfig::credit>(),
          .default_text = "2000",
          .doc = "Messages received and not yet settled, at most.",
          .min = 1,
          .max = kMaxUInt32},
    Field{.name = "credit_bytes",
          .kind = Kind::kSize,
          .binding = Bind<&RouteConfig::credit_bytes>(),
          .default_text = "64MiB",
          .doc = "The same in bytes of bodies.",
          .min = 1,
          .max = kMaxBytes},
    Field{.name = "retry_min",
          .kind = Kind::kDuration,
          .binding = Bind<&RouteConfig::retry_min>(),
          .default_text = "50ms",
          .doc = "Wait before a failed message is tried again; doubled each "
                 "time."},
    Field{.name = "retry_max",
          .kind = Kind::kDuration,
          .binding = Bind<&RouteConfig::retry_max>(),
          .default_text = "10s",
          .doc = "The longest such wait."},
};

const std::array kState = {
    Field{.name = "file",
          .kind = Kind::kFile,
          .binding = Bind<&Config::state_file>(),
          .doc = "File that keeps what must outlive the process."},
};

const std::array kRoot = {
    Field{.name = "brokers",
          .kind = Kind::kObjectMap,
          .binding = BindMap<&Config::brokers>(),
          .doc = "Broker instances, by name.",
          .object = &BrokerObject()},
    Field{.name = "queues",
          .kind = Kind::kObjectMap,
          .binding = BindMap<&Config::queues>(),
          .doc = "Queues, by the name that the application uses.",
          .object = &QueueObject()},
    Field{.name = "routes",
          .kind = Kind::kObjectList,
          .binding = BindList<&Config::routes>(),
          .doc = "Routes: receive from one queue, send to another.",
          .object = &RouteObject()},
    Field{.name = "state",
          .kind = Kind::kObject,
          .binding = kItself,
          .doc = "What outlives the process.",
          .object = &StateObject()},
};

}  // namespace

const Object& TlsObject() {
  static const TlsConfig* defaults = new TlsConfig;
  static const Object object = {"tls", "Encryption of a connection.", kTls,
                                defaults};
  return object;
}
const Object& AuthObject() {
  static const AuthConfig* defaults = new AuthConfig;
  static const Object object = {
      "auth", "How we prove to the broker who we are.", kAuth, defaults};
  return object;
}
const Object& StateObject() {
  static const Config* defaults = new Config;
  static const Object object = {"state", "What outlives the process.", kState,
                                defaults};
  return object;
}
const Object& BrokerObject() {
  static const BrokerConfig* defaults = new BrokerConfig;
  static const Object object = {"broker", "One broker instance.", kBroker,
                                defaults};
  return object;
}
const Object& QueueObject() {
  static const QueueConfig* defaults = new QueueConfig;
  static const Object object = {"queue", "One queue.", kQueue, defaults};
  return object;
}
const Object& RouteObject() {
  static const RouteConfig* defaults = new RouteConfig;
  static const Object object = {"route", "One route.", kRoute, defaults};
  return object;
}
const Object& RootObject() {
  static const Config* defaults = new Config;
  static const Object object = {"config", "The whole file.", kRoot, defaults};
  return object;
}

const Field* FindField(const Object& object, std::string_view name) {
  for (const Field& field : object.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::vector<std::string_view> FieldNames(const Object& object) {
  std::vector<std::string_view> names;
  for (const Field& field : object.fields) names.push_back(field.name);
  return names;
}

std::string KindText(const Field& field) {
  switch (field.kind) {
    case Kind::kText:
      return "text";
    case Kind::kInputFile:
    case Kind::kFile:
      return "path";
    case Kind::kBool:
      return "true or false";
    case Kind::kInteger:
      return fmt::format("number from {} to {}", field.min, field.max);
    case Kind::kSize:
      return "size, such as 64MiB";
    case Kind::kDuration:
      return "duration, such as 250ms or 10s";
    case Kind::kChoice:
      return fmt::format("one of {}", fmt::join(field.choices, ", "));
    case Kind::kSecret:
      return "{ env: NAME } or { file: PATH }";
    case Kind::kUrl:
      return "URL";
    case Kind::kTextMap:
      return "mapping of names to text";
    case Kind::kObject:
      return "mapping";
    case Kind::kObjectMap:
      return "mapping of names to mappings";
    case Kind::kObjectList:
      return "list of mappings";
    case Kind::kSteps:
      return "list of steps";
  }
  return "";
}

}  // namespace config
}  // namespace tieline::inline v0
