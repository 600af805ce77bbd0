#include "adapters/amqp/settings.h"

#include <unistd.h>

#include <atomic>
#include <charconv>

#include "lib/base/status.h"

namespace tieline::inline v0::amqp {
namespace {

constexpr int kPlainPort = 5672;
constexpr int kTlsPort = 5671;

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

absl::Status ReadNumber(std::string_view name, const std::string& text,
                        uint64_t least, uint64_t most, uint64_t* out) {
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, *out);
  if (error == std::errc() && rest == end && *out >= least && *out <= most) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "settings.{}: \"{}\" was found, a number from {} to "
      "{} was expected",
      name, text, least, most);
}

absl::Status ReadSetting(const std::string& name, const std::string& text,
                         Settings* out) {
  if (name == "container_id") {
    out->engine.container_id = text;
  } else if (name == "virtual_host") {
    out->engine.hostname = text;
  } else if (name == "max_frame") {
    uint64_t size;
    TIELINE_RETURN_IF_ERROR(
        ReadNumber(name, text, wire::kMinMaxFrame, 1 << 20, &size));
    out->engine.max_frame = static_cast<uint32_t>(size);
  } else if (name == "max_message_bytes") {
    return ReadNumber(name, text, 1, uint64_t{1} << 32,
                      &out->max_message_bytes);
  } else if (name == "settle") {
    if (text != "confirmed" && text != "fast") {
      return InvalidArgument(
          "settings.settle: \"{}\" was found, \"confirmed\" "
          "or \"fast\" was expected",
          text);
    }
    out->confirm = text == "confirmed";
  } else {
    return InvalidArgument(
        "settings.{}: AMQP has no such setting; there are container_id, "
        "virtual_host, max_frame, max_message_bytes and settle",
        name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Mechanism(const BrokerConfig& broker) {
  switch (broker.auth.sasl) {
    case SaslMechanism::kDefault:
      if (!broker.auth.user.empty()) return "PLAIN";
      if (!broker.tls.cert_file.empty()) return "EXTERNAL";
      return "ANONYMOUS";
    case SaslMechanism::kNone:
      return "";
    case SaslMechanism::kAnonymous:
      return "ANONYMOUS";
    case SaslMechanism::kExternal:
      return "EXTERNAL";
    case SaslMechanism::kPlain:
      if (!broker.auth.user.empty()) return "PLAIN";
      return InvalidArgument("auth.user is missing, which SASL PLAIN needs");
    default:
      return InvalidArgument(
          "auth.sasl: AMQP brokers are offered plain, "
          "anonymous, external or none");
  }
}

std::string NewContainerId() {
  static std::atomic<uint64_t> count{0};
  char host[64] = {};
  gethostname(host, sizeof(host) - 1);
  return fmt::format("tieline-{}-{}-{}", host, getpid(), ++count);
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const BrokerConfig& broker) {
  Settings out;
  const TlsConfig& tls = broker.tls;
  out.tls = broker.url.scheme == "amqps" || tls.enabled ||
            !tls.ca_file.empty() || !tls.cert_file.empty() ||
            !tls.server_name.empty();
  if (broker.url.hosts.empty()) {
    return InvalidArgument("url: a host is missing, as in amqp://host:5672");
  }
  for (HostPort host : broker.url.hosts) {
    if (host.port == 0) host.port = out.tls ? kTlsPort : kPlainPort;
    if (!out.tls && !IsLoopback(host.host) && !broker.allow_plaintext) {
      return InvalidArgument(
          "url: {} would be reached without encryption: use amqps://, or set "
          "allow_plaintext: true",
          host.host);
    }
    out.hosts.push_back(std::move(host));
  }
  out.engine.container_id = NewContainerId();
  out.engine.hostname = out.hosts[0].host;
  out.engine.idle_timeout = broker.idle_timeout;
  TIELINE_ASSIGN_OR_RETURN(out.engine.sasl_mechanisms, Mechanism(broker));
  if (out.engine.sasl_mechanisms == "PLAIN") {
    out.engine.user = broker.auth.user;
    out.engine.password = broker.auth.password;
  }
  for (const auto& [name, text] : broker.settings) {
    TIELINE_RETURN_IF_ERROR(ReadSetting(name, text, &out));
  }
  return out;
}

absl::Status CheckQueue(const QueueConfig& queue) {
  for (const auto& [name, text] : queue.settings) {
    if (name == "receiver_name") continue;
    if (name != "kind") {
      return InvalidArgument(
          "queue {}: settings.{}: AMQP has no such setting; "
          "there are kind and receiver_name",
          queue.name, name);
    }
    if (text != "queue" && text != "topic") {
      return InvalidArgument(
          "queue {}: settings.kind: \"{}\" was found, "
          "\"queue\" or \"topic\" was expected",
          queue.name, text);
    }
  }
  return absl::OkStatus();
}

}  // namespace tieline::inline v0::amqp
