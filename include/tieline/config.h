// Config: brokers, queues and routes, as one YAML file or made in code.
//
//   brokers:
//     primary: { url: "amqps://broker.example.net" }
//     events:  { url: "kafka://kafka:9093", tls: { ca: ca.pem } }
//   queues:
//     observations: { broker: primary, entity: observations, ordered: key }
//     history:      { broker: events, entity: observations.v1, group: bridge }
//   routes:
//     - { from: observations, to: history, dead_letter_after: 10 }
//
// The reference (every field, its type and default) is generated from the
// schema that the parser uses: `tieline config schema`.
// Threads: a value; as a std::string.
#ifndef TIELINE_CONFIG_H_
#define TIELINE_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/secret.h"
#include "tieline/url.h"
#include "tieline/value.h"

namespace tieline::inline v0 {

struct TlsConfig {
  bool enabled = false;     // also by the scheme (amqps) or any field here
  std::string ca_file;      // PEM; empty: the system's
  std::string cert_file;    // client certificate, PEM
  Secret key;               // client key, PEM text
  std::string server_name;  // name to check; empty: the host
  bool insecure_skip_verify = false;  // needs the explicit opt-in
};

enum class SaslMechanism : uint8_t {
  kDefault,  // PLAIN with a user, EXTERNAL with a client certificate, else
             // ANONYMOUS (AMQP) or none (Kafka)
  kNone,
  kAnonymous,
  kPlain,
  kExternal,
  kScramSha256,
  kScramSha512,
  kOauthBearer,
};

struct AuthConfig {
  SaslMechanism sasl = SaslMechanism::kDefault;
  std::string user;
  Secret password;
};

struct BrokerConfig {
  std::string name;  // in errors, metrics and the journal
  Url url;           // scheme and hosts; its path is not used
  TlsConfig tls;
  AuthConfig auth;
  // Plaintext to a host other than loopback needs this word.
  bool allow_plaintext = false;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration idle_timeout = absl::Seconds(30);
  // Handed to the client library; each driver has an allowlist.
  std::map<std::string, std::string> settings;
};

enum class Order : uint8_t {
  kNone,    // as it comes
  kPerKey,  // messages with the same key keep their order
};

// When a queue has several messages on their way: few and soon, or many and
// cheap.
enum class Tuning : uint8_t { kLatency, kThroughput };

// Which message ids tell a second copy from another message.
enum class MessageIds : uint8_t {
  kStamped,  // those that a Tieline sender made; any other message is known by
             // where the broker keeps it, if the broker says so
  kUnique,   // all
};

// A broker that a queue was at before.
struct FormerBroker {
  std::string broker;
  uint64_t generation = 0;
  std::string entity;  // what it was called there; empty: QueueConfig::entity
};

struct QueueConfig {
  std::string name;
  std::string broker;
  // The number of the queue's binding to `broker`. A move is a higher number
  // with another broker; one that was used is never bound to another broker.
  uint64_t generation = 1;
  // The brokers that it was at and that may not be drained, oldest first, each
  // with a lower generation.
  std::vector<FormerBroker> was;
  std::string entity;  // what the broker calls it; default: the name
  Order ordered = Order::kNone;
  std::string group;   // Kafka consumer group
  std::string member;  // static membership (Kafka group.instance.id)
  // Where to begin without a committed position: "earliest", "latest", an
  // offset, or an RFC 3339 time.
  std::string start = "earliest";
  // Where the core copies what is dead-lettered when the broker has no way of
  // its own; default: <entity>.dead-letter.
  std::string dead_letter_entity;
  bool create = false;     // create the entity when it is missing
  int32_t partitions = 0;  // for create; 0: the broker's default
  Tuning tuning = Tuning::kThroughput;
  // For how long the ids of what processors and routes of this process handled
  // are kept in the state file: second copies are then completed without being
  // delivered. Zero: all are delivered.
  absl::Duration dedupe = absl::ZeroDuration();
  // How many ids are kept at most; the oldest go first. None goes while the
  // queue moves.
  int64_t dedupe_ids = 100'000;
  MessageIds ids = MessageIds::kStamped;
  // When no broker has taken anything for so long, messages that are sent go to
  // the state file, and to a broker when one takes them again. Zero: never.
  absl::Duration spool = absl::ZeroDuration();
  // For how long messages that a broker accepted are kept in the state file. A
  // move away from a broker that does not answer sends them again, ids as they
  // were. Zero: none are.
  absl::Duration retain = absl::ZeroDuration();
  std::map<std::string, std::string> settings;  // as BrokerConfig::settings
};

// One step of a route: what passes, and what is changed.
struct RouteStep {
  enum class Kind : uint8_t {
    kWhere,     // pass only messages whose property equals the value
    kWhereNot,  // pass only the others
    kSet,       // property := value
    kRename,    // property `name` becomes `to`
    kDrop,      // property is removed
    kKeyFrom,   // key := text of the property
    kKeySet,    // key := text
  };
  Kind kind = Kind::kSet;
  std::string name;
  std::string to;
  Value value;
};

struct RouteConfig {
  std::string name;  // default: "<from>-><to>"
  std::string from;  // queue name or URL
  std::string to;    // queue name or URL
  std::vector<RouteStep> steps;
  // The route's own failures of one message before it is dead-lettered; 0:
  // never.
  uint32_t dead_letter_after = 10;
  // Messages received and not yet settled, at most.
  uint32_t credit = 2000;
  uint64_t credit_bytes = 64 << 20;
  absl::Duration retry_min = absl::Milliseconds(50);
  absl::Duration retry_max = absl::Seconds(10);
  // A message that the destination's spool took completes its source's.
  bool accept_spooled = false;
};

// What is done about an ordered queue whose former broker does not answer.
enum class WhenDead : uint8_t {
  kHold,     // the new broker is not read until the former one is drained, or
             // the operator says to go on
  kProceed,  // after MoveConfig::dead_after the new one is read; what the
             // former one still has is delivered late
};

// How queues are moved.
struct MoveConfig {
  WhenDead when_dead = WhenDead::kHold;
  // How long a former broker may be silent before it counts as dead.
  absl::Duration dead_after = absl::Seconds(30);
  // How long sends without an answer are waited for at the switch; then the
  // connection is cut, and they are sent again.
  absl::Duration fence_timeout = absl::Seconds(10);
  // How long a drained broker is still listened to.
  absl::Duration retire_time = absl::Seconds(30);
  // Where no proof can be had: silent for so long counts as empty.
  absl::Duration quiet_period = absl::Seconds(5);
  // Control sockets of the other processes that use the same queues. A former
  // broker is left when each of them says that it is through with it.
  std::vector<std::string> members;
};

struct Config {
  std::map<std::string, BrokerConfig> brokers;
  std::map<std::string, QueueConfig> queues;
  std::vector<RouteConfig> routes;
  std::string state_file;
  // What is spooled and retained, of all queues together, at most; 32 bytes
  // more for each message. What is retained takes up to half of it, then the
  // oldest goes; what is spooled may take all, then senders wait.
  uint64_t spool_bytes = uint64_t{256} << 20;
  MoveConfig move;

  // kInvalidArgument lists every fault, one a line, as
  // "file:line:column: what was found, what was expected, what to do".
  // kNotFound when the file is not there. Files up to 1 MiB.
  static absl::StatusOr<Config> FromFile(const std::string& path);
  // `name` stands for the file in errors; relative paths in the text are taken
  // from `directory`.
  static absl::StatusOr<Config> FromText(std::string_view yaml,
                                         std::string_view name = "config",
                                         std::string_view directory = ".");
  // Adds the broker and queue that a URL names, under names made from it;
  // returns the queue's name. Parameters of the URL are those of the queue and
  // broker (group, ordered, ca, user, password_env, ...).
  absl::StatusOr<std::string> AddUrl(std::string_view url);
  // The same without the queue: the URL needs no entity. Returns the broker's
  // name.
  absl::StatusOr<std::string> AddBrokerUrl(std::string_view url);
  // What the parser would refuse, for configs made in code.
  absl::Status Validate() const;
  // YAML of the whole, secrets as "***".
  std::string ToYaml() const;
  // JSON Schema (draft 2020-12) of the file, and the reference in Markdown.
  static std::string JsonSchema();
  static std::string ReferenceMarkdown();
};

}  // namespace tieline::inline v0

#endif  // TIELINE_CONFIG_H_
