#include "lib/config/check.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <set>
#include <system_error>

#include "lib/base/status.h"
#include "lib/config/check_moves.h"
#include "lib/config/schemes.h"
#include "lib/config/steps.h"
#include "tieline/driver/driver.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr uint64_t kLeastSpool = uint64_t{1} << 20;
constexpr uint64_t kMostSpool = uint64_t{1} << 40;

class Checker {
 public:
  Checker(const Config& config, Faults* faults)
      : config_(config), faults_(faults) {}

  void Run() {
    for (const auto& [name, broker] : config_.brokers) Broker(name, broker);
    for (const auto& [name, queue] : config_.queues) Queue(name, queue);
    std::set<std::string_view> names;
    for (size_t i = 0; i < config_.routes.size(); ++i) {
      const RouteConfig& route = config_.routes[i];
      const std::string path = fmt::format("routes[{}]", i);
      Route(route, path);
      if (!names.insert(route.name).second) {
        Add(path + ".name",
            "another route is called \"{}\" too; give this one "
            "a name of its own",
            route.name);
      }
    }
    if (config_.spool_bytes < kLeastSpool || config_.spool_bytes > kMostSpool) {
      Add("state.spool_bytes", "is out of range; expected 1MiB to 1024GiB");
    }
    CheckMoves(config_, faults_);
    if (!faults_->empty()) return;
    for (const auto& [name, broker] : config_.brokers) Backend(name, broker);
  }

 private:
  template <typename... Args>
  void Add(const std::string& path, fmt::format_string<Args...> format,
           Args&&... args) {
    faults_->Add(path, {}, fmt::format(format, std::forward<Args>(args)...));
  }

  void Name(const std::string& path, std::string_view name) {
    if (name.empty() || name.size() > kMaxNameBytes) {
      Add(path, "a name has 1 to {} bytes", kMaxNameBytes);
    }
    for (char c : name) {
      if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
        Add(path, "a name holds no spaces and no control characters");
        return;
      }
    }
  }

  void Broker(const std::string& name, const BrokerConfig& broker) {
    const std::string path = "brokers." + name;
    Name(path, name);
    BrokerUrl(path + ".url", broker);
    BrokerAuth(path + ".auth", broker);
    const TlsConfig& tls = broker.tls;
    if (tls.cert_file.empty() != tls.key.empty()) {
      Add(path + ".tls",
          "a client certificate needs both cert and key; {} is "
          "missing",
          tls.cert_file.empty() ? "cert" : "key");
    }
    if (tls.insecure_skip_verify && !tls.ca_file.empty()) {
      Add(path + ".tls",
          "insecure_skip_verify and ca exclude each other; keep "
          "ca");
    }
    if (broker.connect_timeout <= absl::ZeroDuration()) {
      Add(path + ".connect_timeout", "must be more than 0");
    }
    if (broker.idle_timeout <= absl::ZeroDuration()) {
      Add(path + ".idle_timeout", "must be more than 0");
    }
  }

  // What the backend itself finds wrong; once all else is right.
  void Backend(const std::string& name, const BrokerConfig& broker) {
    const auto driver = driver::Find(broker.url.scheme);
    if (driver == nullptr) return;
    std::vector<QueueConfig> queues;
    for (const auto& [queue_name, queue] : config_.queues) {
      if (queue.broker == name) queues.push_back(queue);
    }
    const absl::Status status = driver->Check(broker, queues);
    if (!status.ok()) Add("brokers." + name, "{}", MessageOf(status));
  }

  void BrokerUrl(const std::string& path, const BrokerConfig& broker) {
    const Url& url = broker.url;
    if (url.scheme.empty()) {
      Add(path, "is missing; expected such as amqps://broker.example.net");
      return;
    }
    if (url.scheme == "servicebus" && !IsKnownScheme(url.scheme)) {
      Add(path,
          "servicebus:// comes with the servicebus backend, which this "
          "version does not have yet; plain AMQP 1.0 brokers are "
          "amqps://");
      return;
    }
    if (!IsKnownScheme(url.scheme)) {
      Add(path, "no backend has the scheme \"{}\"{}", url.scheme,
          Suggestion(url.scheme, KnownSchemes()));
      return;
    }
    if (url.hosts.empty() && NeedsHost(url.scheme)) {
      Add(path,
          "names no host; expected {0}://HOST, or {0}://HOST/ENTITY for "
          "a queue",
          url.scheme);
      return;
    }
    if (!url.path.empty()) {
      Add(path,
          "a broker's URL ends with its hosts; the entity \"{}\" belongs "
          "to a queue",
          url.path);
    }
    if (!url.params.empty()) {
      Add(path,
          "parameters are for URLs on the command line; write \"{}\" as "
          "a field",
          url.params.begin()->first);
    }
    const bool tls = broker.tls.enabled || IsTlsScheme(url.scheme);
    if (!tls && !broker.allow_plaintext && !IsLocal(url)) {
      Add(path,
          "plaintext to {}, which is not this machine, is refused; use "
          "TLS{}, or permit it with allow_plaintext",
          url.HostList(0),
          TlsSchemeFor(url.scheme).empty()
              ? ""
              : fmt::format(" ({}://)", TlsSchemeFor(url.scheme)));
    }
  }

  void BrokerAuth(const std::string& path, const BrokerConfig& broker) {
    const AuthConfig& auth = broker.auth;
    const bool has_user = !auth.user.empty() || !broker.url.user.empty();
    const bool has_password =
        !auth.password.empty() || !broker.url.password.empty();
    const bool wants_password =
        auth.sasl == SaslMechanism::kPlain ||
        auth.sasl == SaslMechanism::kScramSha256 ||
        auth.sasl == SaslMechanism::kScramSha512 ||
        (auth.sasl == SaslMechanism::kDefault && has_user);
    if (wants_password && !has_user) {
      Add(path, "this mechanism needs a user");
    }
    if (wants_password && !has_password) {
      Add(path,
          "a user needs a password; add password: {{ env: NAME }} or "
          "{{ file: PATH }} (in a URL password_env or password_file)");
    }
    if (has_password && !has_user) {
      Add(path, "there is a password without a user; add user");
    }
    if (auth.sasl == SaslMechanism::kExternal && broker.tls.cert_file.empty()) {
      Add(path,
          "external needs a client certificate; add tls: {{ cert, key }}");
    }
  }

  void Dedupe(const std::string& path, const QueueConfig& queue) {
    if (queue.dedupe < absl::ZeroDuration() ||
        queue.dedupe > absl::Hours(24 * 366)) {
      Add(path + ".dedupe", "is out of range; expected 0s to a year");
    } else if (queue.dedupe > absl::ZeroDuration() &&
               config_.state_file.empty()) {
      Add(path + ".dedupe",
          "needs a file to keep ids in; give state.file, or leave "
          "dedupe out");
    }
    if (queue.dedupe_ids < 1 ||
        queue.dedupe_ids > std::numeric_limits<int32_t>::max()) {
      Add(path + ".dedupe_ids", "is out of range; expected 1 to {}",
          std::numeric_limits<int32_t>::max());
    }
  }

  void KeptOnDisk(const std::string& path, absl::Duration value,
                  absl::Duration least) {
    if (value == absl::ZeroDuration()) return;
    if (value < least || value > absl::Hours(24)) {
      Add(path, "is out of range; expected {} to a day",
          absl::FormatDuration(least));
    } else if (config_.state_file.empty()) {
      Add(path,
          "needs a file to keep messages in; give state.file, or leave it "
          "out");
    }
  }

  void Spool(const std::string& path, const QueueConfig& queue) {
    KeptOnDisk(path + ".retain", queue.retain, absl::Seconds(1));
    KeptOnDisk(path + ".spool", queue.spool, absl::Milliseconds(10));
  }

  void Queue(const std::string& name, const QueueConfig& queue) {
    const std::string path = "queues." + name;
    Dedupe(path, queue);
    Spool(path, queue);
    Name(path, name);
    if (config_.brokers.find(queue.broker) == config_.brokers.end()) {
      std::vector<std::string_view> names;
      for (const auto& [broker, unused] : config_.brokers) {
        names.push_back(broker);
      }
      Add(path + ".broker", "there is no broker \"{}\"{}", queue.broker,
          names.empty() ? "; add one under brokers"
                        : Suggestion(queue.broker, names));
    }
    if (queue.partitions < 0) Add(path + ".partitions", "must not be negative");
    if (!IsStart(queue.start)) {
      Add(path + ".start",
          "\"{}\" is none of earliest, latest, an offset, or "
          "a time such as 2026-01-31T12:00:00Z",
          queue.start);
    }
  }

  static bool IsStart(const std::string& start) {
    if (start == "earliest" || start == "latest") return true;
    uint64_t offset = 0;
    const char* end = start.data() + start.size();
    const auto [at, error] = std::from_chars(start.data(), end, offset);
    if (error == std::errc() && at == end) return true;
    absl::Time time;
    return absl::ParseTime(absl::RFC3339_full, start, &time, nullptr);
  }

  void Route(const RouteConfig& route, const std::string& path) {
    RouteEnd(route.from, path + ".from");
    RouteEnd(route.to, path + ".to");
    if (!route.from.empty() && route.from == route.to) {
      Add(path + ".to",
          "is the queue it comes from; every message would come "
          "back for ever");
    }
    if (route.credit == 0) Add(path + ".credit", "must be more than 0");
    if (route.credit_bytes == 0) {
      Add(path + ".credit_bytes", "must be more than 0");
    }
    if (route.retry_min <= absl::ZeroDuration()) {
      Add(path + ".retry_min", "must be more than 0");
    }
    if (route.retry_max < route.retry_min) {
      Add(path + ".retry_max", "is less than retry_min ({})",
          absl::FormatDuration(route.retry_min));
    }
    CheckSteps(route.steps, path + ".steps", faults_);
  }

  void RouteEnd(const std::string& queue, const std::string& path) {
    if (queue.empty()) {
      Add(path, "is missing; expected the name of a queue, or a URL");
    } else if (queue.find("://") == std::string::npos &&
               config_.queues.find(queue) == config_.queues.end()) {
      std::vector<std::string_view> names;
      for (const auto& [name, unused] : config_.queues) names.push_back(name);
      Add(path, "there is no queue \"{}\"{}", queue,
          names.empty() ? "; add one under queues" : Suggestion(queue, names));
    }
  }

  const Config& config_;
  Faults* faults_;
};

}  // namespace

void CompleteBroker(BrokerConfig* broker) {
  if (IsTlsScheme(broker->url.scheme)) broker->tls.enabled = true;
  if (broker->auth.user.empty()) broker->auth.user = broker->url.user;
  if (broker->auth.password.empty()) {
    broker->auth.password = broker->url.password;
  }
}

void Complete(Config* config) {
  for (auto& [name, broker] : config->brokers) {
    broker.name = name;
    CompleteBroker(&broker);
  }
  for (auto& [name, queue] : config->queues) {
    queue.name = name;
    if (queue.entity.empty()) queue.entity = name;
  }
  for (RouteConfig& route : config->routes) {
    if (route.name.empty()) route.name = route.from + "->" + route.to;
  }
}

void Check(const Config& config, Faults* faults) {
  Checker(config, faults).Run();
}

}  // namespace config

absl::Status Config::Validate() const {
  config::Faults faults;
  config::Check(*this, &faults);
  return faults.ToStatus("config");
}

}  // namespace tieline::inline v0
