#include "adapters/kafka/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/status.h"

namespace tieline::inline v0 {
namespace kafka {
namespace {

// Nothing that bears on security, on what an outcome means, or that prints.
constexpr std::array kAllowed = {
    "client.id",
    "client.rack",
    "compression.type",
    "compression.codec",
    "compression.level",
    "linger.ms",
    "queue.buffering.max.ms",
    "batch.size",
    "batch.num.messages",
    "message.max.bytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "request.timeout.ms",
    "partitioner",
    "sticky.partitioning.linger.ms",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.wait.max.ms",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.error.backoff.ms",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "receive.message.max.bytes",
    "isolation.level",
    "check.crcs",
    "socket.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.send.buffer.bytes",
    "socket.receive.buffer.bytes",
    "socket.connection.setup.timeout.ms",
    "broker.address.family",
    "broker.address.ttl",
    "connections.max.idle.ms",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "retry.backoff.ms",
    "metadata.max.age.ms",
    "topic.metadata.refresh.interval.ms",
};

void Add(Settings* settings, std::string_view name, std::string value) {
  settings->push_back({std::string(name), Secret(std::move(value))});
}

std::string Millis(absl::Duration d) {
  return std::to_string(std::max<int64_t>(absl::ToInt64Milliseconds(d), 1));
}

SaslMechanism MechanismOf(const BrokerConfig& broker) {
  if (broker.auth.sasl != SaslMechanism::kDefault) return broker.auth.sasl;
  return broker.auth.user.empty() && broker.url.user.empty()
             ? SaslMechanism::kNone
             : SaslMechanism::kPlain;
}

std::string_view MechanismName(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kPlain:
      return "PLAIN";
    case SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
    default:
      return "";
  }
}

absl::Status CheckNames(const std::map<std::string, std::string>& settings,
                        std::string_view where) {
  for (const auto& [name, value] : settings) {
    if (!IsAllowed(name)) {
      return InvalidArgument(
          "{}: settings: \"{}\" is not among those that Kafka takes here; the "
          "guide's page on Kafka lists them",
          where, name);
    }
  }
  return absl::OkStatus();
}

void AddTls(const TlsConfig& tls, Settings* out) {
  if (!tls.ca_file.empty()) Add(out, "ssl.ca.location", tls.ca_file);
  if (!tls.cert_file.empty()) {
    Add(out, "ssl.certificate.location", tls.cert_file);
  }
  if (!tls.key.empty()) Add(out, "ssl.key.pem", std::string(tls.key.Reveal()));
  if (tls.insecure_skip_verify) {
    Add(out, "enable.ssl.certificate.verification", "false");
    Add(out, "ssl.endpoint.identification.algorithm", "none");
  } else {
    Add(out, "enable.ssl.certificate.verification", "true");
    Add(out, "ssl.endpoint.identification.algorithm", "https");
  }
}

// Those of the config come last: they replace ours.
void AddConfigured(const BrokerConfig& broker, const QueueConfig* queue,
                   Settings* out) {
  for (const auto& [name, value] : broker.settings) Add(out, name, value);
  if (queue == nullptr) return;
  for (const auto& [name, value] : queue->settings) Add(out, name, value);
}

}  // namespace

bool IsAllowed(std::string_view name) {
  return std::find(kAllowed.begin(), kAllowed.end(), name) != kAllowed.end();
}

bool IsLoopback(const Url& url) {
  return !url.hosts.empty() &&
         std::all_of(url.hosts.begin(), url.hosts.end(), [](const auto& h) {
           return h.host == "localhost" || h.host == "::1" ||
                  h.host.starts_with("127.");
         });
}

bool UsesTls(const BrokerConfig& broker) {
  const TlsConfig& tls = broker.tls;
  return broker.url.scheme == "kafkas" || tls.enabled || !tls.ca_file.empty() ||
         !tls.cert_file.empty() || !tls.key.empty() ||
         !tls.server_name.empty() || tls.insecure_skip_verify;
}

bool UsesScram(const BrokerConfig& broker) {
  const SaslMechanism m = MechanismOf(broker);
  return m == SaslMechanism::kScramSha256 || m == SaslMechanism::kScramSha512;
}

absl::Status CheckBroker(const BrokerConfig& broker) {
  const std::string& name = broker.name;
  if (broker.url.hosts.empty()) {
    return InvalidArgument(
        "broker {}: url: no host; expected kafka://host:port,...", name);
  }
  if (!UsesTls(broker) && !broker.allow_plaintext && !IsLoopback(broker.url)) {
    return InvalidArgument(
        "broker {}: plaintext to {} is refused; use kafkas://, give tls "
        "settings, or say allow_plaintext: true",
        name, broker.url.HostList(kDefaultPort));
  }
  const SaslMechanism mechanism = MechanismOf(broker);
  switch (mechanism) {
    case SaslMechanism::kNone:
    case SaslMechanism::kDefault:
      break;
    case SaslMechanism::kPlain:
    case SaslMechanism::kScramSha256:
    case SaslMechanism::kScramSha512:
      if (broker.auth.user.empty() && broker.url.user.empty()) {
        return InvalidArgument("broker {}: auth: user is missing", name);
      }
      break;
    case SaslMechanism::kExternal:
      // A client certificate is all that Kafka asks for.
      if (broker.tls.cert_file.empty()) {
        return InvalidArgument(
            "broker {}: auth: sasl external needs tls: cert and key", name);
      }
      break;
    case SaslMechanism::kAnonymous:
    case SaslMechanism::kOauthBearer:
      return InvalidArgument(
          "broker {}: auth: this mechanism is not supported for Kafka; use "
          "plain, scram-sha-256, scram-sha-512 or external",
          name);
  }
  if (!broker.tls.server_name.empty()) {
    return InvalidArgument(
        "broker {}: tls: server_name cannot be set for Kafka; the name in the "
        "URL is the one that is checked",
        name);
  }
  return CheckNames(broker.settings, "broker " + name);
}

absl::Status CheckQueue(const QueueConfig& queue) {
  const std::string where = "queue " + queue.name;
  const std::string& entity = queue.entity;
  const bool well_formed =
      std::all_of(entity.begin(), entity.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
      });
  if (entity.empty() || entity.size() > 249 || !well_formed || entity == "." ||
      entity == "..") {
    return InvalidArgument(
        "{}: entity: \"{}\" cannot be a Kafka topic; expected 1 to 249 "
        "letters, digits, '.', '_' or '-'",
        where, entity.substr(0, 249));
  }
  TIELINE_RETURN_IF_ERROR(
      Annotate(ParseStart(queue.start).status(), where + ": start"));
  return CheckNames(queue.settings, where);
}

Settings CommonSettings(const BrokerConfig& broker) {
  Settings out;
  Add(&out, "bootstrap.servers", broker.url.HostList(kDefaultPort));
  Add(&out, "client.id", "tieline");
  // One line of log for each, through the client's own callback.
  Add(&out, "log_level", "5");
  Add(&out, "log.connection.close", "false");
  Add(&out, "socket.nagle.disable", "true");
  Add(&out, "socket.keepalive.enable", "true");
  Add(&out, "socket.timeout.ms", Millis(broker.idle_timeout));
  Add(&out, "socket.connection.setup.timeout.ms",
      Millis(std::max(broker.connect_timeout, absl::Seconds(1))));
  Add(&out, "reconnect.backoff.ms", "50");
  Add(&out, "reconnect.backoff.max.ms", "1000");
  Add(&out, "topic.metadata.refresh.interval.ms", "60000");

  const bool tls = UsesTls(broker);
  const SaslMechanism mechanism = MechanismOf(broker);
  const std::string_view sasl = MechanismName(mechanism);
  if (sasl.empty()) {
    Add(&out, "security.protocol", tls ? "ssl" : "plaintext");
  } else {
    Add(&out, "security.protocol", tls ? "sasl_ssl" : "sasl_plaintext");
    Add(&out, "sasl.mechanism", std::string(sasl));
    const AuthConfig& auth = broker.auth;
    Add(&out, "sasl.username", auth.user.empty() ? broker.url.user : auth.user);
    Add(&out, "sasl.password",
        std::string(auth.password.empty() ? broker.url.password.Reveal()
                                          : auth.password.Reveal()));
  }
  if (tls) AddTls(broker.tls, &out);
  return out;
}

Settings ProducerSettings(const BrokerConfig& broker,
                          const QueueConfig& queue) {
  Settings out = CommonSettings(broker);
  Add(&out, "acks", "all");
  // As Java's clients place keys; records without one stick to a partition
  // for a batch.
  Add(&out, "partitioner", "murmur2_random");
  // The core owns deadlines. A record that timed out alone would let later
  // ones of its key pass it, so none does: the sender purges all at once.
  Add(&out, "message.timeout.ms", "0");
  Add(&out, "message.max.bytes", std::to_string(16 << 20));
  if (queue.tuning == Tuning::kLatency) {
    Add(&out, "linger.ms", "0");
  } else {
    Add(&out, "linger.ms", "5");
  }
  Add(&out, "batch.num.messages", "10000");
  // One request on its way: with more, one that is refused while a partition
  // gets its leader may be passed by later ones (see Sender::AcceptedUnseen).
  Add(&out, "max.in.flight.requests.per.connection", "1");
  AddConfigured(broker, &queue, &out);
  // Last: these make an outcome mean what it says.
  Add(&out, "enable.idempotence", "true");
  // The sender keeps its own, smaller bound, so that this one is never met.
  Add(&out, "queue.buffering.max.messages", "2000000");
  Add(&out, "queue.buffering.max.kbytes", "2097151");
  return out;
}

Settings ConsumerSettings(const BrokerConfig& broker, const QueueConfig& queue,
                          bool browse, int client_version) {
  Settings out = CommonSettings(broker);
  Add(&out, "allow.auto.create.topics", "false");
  // How long the partitions of a member that is gone wait for it, and how soon
  // the others are told.
  Add(&out, "session.timeout.ms", "10000");
  Add(&out, "heartbeat.interval.ms", "1000");
  Add(&out, "partition.assignment.strategy",
      client_version >= kCooperativeSound ? "cooperative-sticky"
                                          : "range,roundrobin");
  // What waits in the client is bounded, so that a relay stays small; see the
  // guide for what to raise when one message is large.
  const Prefetch prefetch;
  Add(&out, "queued.min.messages", std::to_string(prefetch.messages));
  Add(&out, "queued.max.messages.kbytes",
      std::to_string(prefetch.bytes / 1024));
  if (client_version >= kFetchBackoff) {
    Add(&out, "fetch.queue.backoff.ms", "5");
  }
  Add(&out, "fetch.message.max.bytes", "1048576");
  Add(&out, "fetch.max.bytes", "8388608");
  Add(&out, "receive.message.max.bytes", "100000000");
  Add(&out, "fetch.wait.max.ms",
      queue.tuning == Tuning::kLatency ? "100" : "500");
  Add(&out, "fetch.error.backoff.ms", "100");
  const auto start = ParseStart(queue.start);
  const bool latest = start.ok() && start->kind == Start::Kind::kLatest;
  Add(&out, "auto.offset.reset", latest ? "latest" : "earliest");
  AddConfigured(broker, &queue, &out);
  Add(&out, "enable.auto.commit", "false");
  Add(&out, "enable.auto.offset.store", "false");
  if (!browse) {
    Add(&out, "group.id",
        queue.group.empty() ? std::string(kDefaultGroup) : queue.group);
    if (!queue.member.empty()) Add(&out, "group.instance.id", queue.member);
  } else {
    // Never joined, never committed: the library asks for a name.
    Add(&out, "group.id", "tieline-browse");
  }
  return out;
}

size_t NumberIn(const BrokerConfig& broker, const QueueConfig& queue,
                const std::string& name, size_t otherwise) {
  for (const auto* settings : {&queue.settings, &broker.settings}) {
    const auto found = settings->find(name);
    if (found == settings->end()) continue;
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), otherwise);
    break;
  }
  return otherwise;
}

Prefetch PrefetchOf(const BrokerConfig& broker, const QueueConfig& queue) {
  Prefetch prefetch;
  prefetch.messages =
      NumberIn(broker, queue, "queued.min.messages", prefetch.messages);
  prefetch.bytes = NumberIn(broker, queue, "queued.max.messages.kbytes",
                            prefetch.bytes / 1024) *
                   1024;
  return prefetch;
}

absl::StatusOr<Start> ParseStart(std::string_view text) {
  Start start;
  if (text == "earliest" || text.empty()) return start;
  if (text == "latest") {
    start.kind = Start::Kind::kLatest;
    return start;
  }
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, start.offset);
  if (error == std::errc() && next == end && start.offset >= 0) {
    start.kind = Start::Kind::kOffset;
    return start;
  }
  std::string why;
  if (absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &start.time, &why)) {
    start.kind = Start::Kind::kTime;
    return start;
  }
  return InvalidArgument(
      "\"{}\": expected earliest, latest, an offset or an RFC 3339 time", text);
}

}  // namespace kafka
}  // namespace tieline::inline v0
