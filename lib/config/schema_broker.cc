// The table of brokers: who they are, and how they are connected to.
#include <array>

#include "lib/config/schema.h"

namespace tieline::inline v0 {
namespace config {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 8> kMechanisms = {
    "default",  "none",          "anonymous",     "plain",
    "external", "scram-sha-256", "scram-sha-512", "oauthbearer"};

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
const Object& BrokerObject() {
  static const BrokerConfig* defaults = new BrokerConfig;
  static const Object object = {"broker", "One broker instance.", kBroker,
                                defaults};
  return object;
}

}  // namespace config
}  // namespace tieline::inline v0
