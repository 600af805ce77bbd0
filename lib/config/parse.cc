// Config::FromText and FromFile: from the tree of the document to a Config, by
// the schema.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/config/check.h"
#include "lib/config/check_moves.h"
#include "lib/config/document.h"
#include "lib/config/field_text.h"
#include "lib/config/schema.h"
#include "lib/config/schemes.h"
#include "lib/config/steps.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {
namespace {

class Reader {
 public:
  Reader(std::string directory, Faults* faults)
      : directory_(std::move(directory)), faults_(faults) {}

  void Read(const Node& root, Config* config) {
    ReadObject(root, RootObject(), config, "");
    for (auto& [name, broker] : config->brokers) BrokerUrl(name, &broker);
    for (size_t i = 0; i < config->routes.size(); ++i) {
      const std::string path = fmt::format("routes[{}]", i);
      RouteEnd(config, path + ".from", &config->routes[i].from);
      RouteEnd(config, path + ".to", &config->routes[i].to);
    }
    CompleteGenerations(config);
    Complete(config);
    Faults found;
    Check(*config, &found);
    for (const Fault& fault : found.list()) {
      if (HasFault(fault.path)) continue;
      faults_->Add(fault.path, PositionOf(fault.path), fault.text);
    }
  }

 private:
  void ReadObject(const Node& node, const Object& object, void* into,
                  const std::string& path) {
    if (node.kind != Node::Kind::kMap) {
      faults_->Add(path, node.at,
                   fmt::format("expected a mapping, found {}", Describe(node)));
      return;
    }
    for (const Entry& entry : node.entries) {
      const std::string inner = JoinPath(path, entry.name);
      const Field* field = FindField(object, entry.name);
      if (field == nullptr) {
        faults_->Add(path, entry.at, Unknown(object, entry.name));
        continue;
      }
      positions_[inner] = entry.value.at;
      ReadField(entry.value, *field, into, inner);
    }
    for (const Field& field : object.fields) {
      if (!field.required) continue;
      bool there = false;
      for (const Entry& entry : node.entries) there |= entry.name == field.name;
      if (!there) {
        faults_->Add(JoinPath(path, field.name), node.at,
                     fmt::format("is missing; expected {}", KindText(field)));
      }
    }
    if (&object == &TlsObject()) CompleteTls(node, path, into);
  }

  // Any field of `tls` turns it on, unless `enabled` says otherwise.
  void CompleteTls(const Node& node, const std::string& path, void* into) {
    auto* tls = static_cast<TlsConfig*>(into);
    bool says_enabled = false;
    for (const Entry& entry : node.entries) {
      says_enabled |= entry.name == "enabled";
    }
    if (!says_enabled) {
      tls->enabled = true;
    } else if (!tls->enabled && node.entries.size() > 1) {
      faults_->Add(path, node.at,
                   "enabled is false, but other fields are given; take them "
                   "out, or enable it");
    }
  }

  static std::string Unknown(const Object& object, const std::string& name) {
    if (&object == &AuthObject() && name == "connection_string") {
      return "connection_string is for servicebus:// brokers; it comes with "
             "the servicebus backend, which this version does not have yet";
    }
    return fmt::format("unknown field \"{}\"{}", name,
                       Suggestion(name, FieldNames(object)));
  }

  void ReadField(const Node& node, const Field& field, void* into,
                 const std::string& path) {
    switch (field.kind) {
      case Kind::kObject:
        return ReadObject(node, *field.object, field.binding.at(into), path);
      case Kind::kObjectMap:
        return ReadObjectMap(node, field, into, path);
      case Kind::kObjectList:
        return ReadObjectList(node, field, into, path);
      case Kind::kSteps:
        return ReadSteps(
            node, path,
            static_cast<std::vector<RouteStep>*>(field.binding.at(into)),
            faults_);
      case Kind::kSecret:
        return ReadSecret(node, field, into, path);
      case Kind::kTextMap:
        return ReadTextMap(node, field, into, path);
      case Kind::kPathList:
        return ReadPathList(node, field, into, path);
      default:
        return ReadText(node, field, into, path);
    }
  }

  void ReadObjectMap(const Node& node, const Field& field, void* into,
                     const std::string& path) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kMap) {
      faults_->Add(path, node.at,
                   fmt::format("expected a mapping of names to {}s, found {}",
                               field.object->name, Describe(node)));
      return;
    }
    for (const Entry& entry : node.entries) {
      const std::string inner = JoinPath(path, entry.name);
      positions_[inner] = entry.at;
      ReadObject(entry.value, *field.object,
                 field.binding.add(into, entry.name), inner);
    }
  }

  void ReadObjectList(const Node& node, const Field& field, void* into,
                      const std::string& path) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kList) {
      faults_->Add(path, node.at,
                   fmt::format("expected a list of {}s (- ...), found {}",
                               field.object->name, Describe(node)));
      return;
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string inner = fmt::format("{}[{}]", path, i);
      positions_[inner] = node.items[i].at;
      void* const member = field.binding.add(into, "");
      const Field* text = FindField(*field.object, field.object->text_field);
      if (text != nullptr && node.items[i].kind != Node::Kind::kMap) {
        ReadText(node.items[i], *text, member, JoinPath(inner, text->name));
      } else {
        ReadObject(node.items[i], *field.object, member, inner);
      }
    }
  }

  void ReadText(const Node& node, const Field& field, void* into,
                const std::string& path) {
    if (node.kind != Node::Kind::kScalar) {
      faults_->Add(path, node.at,
                   fmt::format("expected {}, found {}", KindText(field),
                               Describe(node)));
      return;
    }
    auto value = ParseFieldText(field, node.text, directory_);
    if (!value.ok()) {
      faults_->Add(path, node.at, std::string(MessageOf(value.status())));
      return;
    }
    field.binding.set(into, *std::move(value));
  }

  void ReadSecret(const Node& node, const Field& field, void* into,
                  const std::string& path) {
    if (node.kind == Node::Kind::kScalar) {
      faults_->Add(path, node.at,
                   "a secret is not written here; give { env: NAME } or "
                   "{ file: PATH }");
      return;
    }
    if (node.kind != Node::Kind::kMap || node.entries.size() != 1 ||
        node.entries[0].value.kind != Node::Kind::kScalar ||
        (node.entries[0].name != "env" && node.entries[0].name != "file")) {
      faults_->Add(path, node.at, fmt::format("expected {}", KindText(field)));
      return;
    }
    const Entry& entry = node.entries[0];
    auto secret =
        entry.name == "env"
            ? SecretFromEnv(entry.value.text)
            : SecretFromFile(ResolvePath(entry.value.text, directory_));
    if (!secret.ok()) {
      faults_->Add(path, entry.value.at,
                   std::string(MessageOf(secret.status())));
      return;
    }
    field.binding.set(into, *std::move(secret));
  }

  void ReadTextMap(const Node& node, const Field& field, void* into,
                   const std::string& path) {
    if (node.kind != Node::Kind::kMap) {
      faults_->Add(path, node.at,
                   fmt::format("expected {}, found {}", KindText(field),
                               Describe(node)));
      return;
    }
    TextMap map;
    for (const Entry& entry : node.entries) {
      const std::string inner = JoinPath(path, entry.name);
      if (entry.value.kind != Node::Kind::kScalar) {
        faults_->Add(
            inner, entry.value.at,
            fmt::format("expected text, found {}", Describe(entry.value)));
        continue;
      }
      map[entry.name] = entry.value.text;
    }
    field.binding.set(into, std::move(map));
  }

  void ReadPathList(const Node& node, const Field& field, void* into,
                    const std::string& path) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kList) {
      faults_->Add(path, node.at,
                   fmt::format("expected {}, found {}", KindText(field),
                               Describe(node)));
      return;
    }
    TextList list;
    for (size_t i = 0; i < node.items.size(); ++i) {
      const Node& item = node.items[i];
      const std::string inner = fmt::format("{}[{}]", path, i);
      positions_[inner] = item.at;
      if (item.kind != Node::Kind::kScalar || item.text.empty()) {
        faults_->Add(inner, item.at,
                     fmt::format("expected a path, found {}", Describe(item)));
        continue;
      }
      list.push_back(ResolvePath(item.text, directory_));
    }
    field.binding.set(into, std::move(list));
  }

  // Generations that the text leaves out.
  void CompleteGenerations(Config* config) const {
    for (auto& [name, queue] : config->queues) {
      if (positions_.count("queues." + name + ".generation") == 0) {
        queue.generation = 0;
      }
      CountGenerations(&queue.generation, &queue.was);
    }
  }

  void BrokerUrl(const std::string& name, BrokerConfig* broker) {
    const std::string path = "brokers." + name + ".url";
    if (!broker->url.password.empty()) {
      faults_->Add(path, PositionOf(path),
                   "a password is not written in a config; take it out and "
                   "give auth: { user: NAME, password: { env: NAME } }");
    }
    if (!broker->url.user.empty() && !broker->auth.user.empty() &&
        broker->url.user != broker->auth.user) {
      faults_->Add(path, PositionOf(path),
                   "names another user than auth.user; keep one");
    }
    if (IsTlsScheme(broker->url.scheme) &&
        positions_.count("brokers." + name + ".tls.enabled") != 0 &&
        !broker->tls.enabled) {
      const std::string enabled = "brokers." + name + ".tls.enabled";
      faults_->Add(
          enabled, PositionOf(enabled),
          fmt::format(
              "is false, but {}:// means TLS; use {}://", broker->url.scheme,
              broker->url.scheme.substr(0, broker->url.scheme.size() - 1)));
    }
  }

  // A route may name a URL instead of a queue.
  void RouteEnd(Config* config, const std::string& path, std::string* end) {
    if (end->find("://") == std::string::npos ||
        config->queues.count(*end) != 0) {
      return;
    }
    auto url = Url::Parse(*end);
    if (url.ok() && !url->password.empty()) {
      faults_->Add(path, PositionOf(path),
                   "a password is not written in a config; use password_env "
                   "or password_file");
      return;
    }
    auto queue = config->AddUrl(*end);
    if (!queue.ok()) {
      faults_->Add(path, PositionOf(path),
                   std::string(MessageOf(queue.status())));
      return;
    }
    *end = *std::move(queue);
  }

  // True when something is wrong with `path` or inside of it: what follows
  // from that is not worth saying.
  bool HasFault(const std::string& path) const {
    for (const Fault& fault : faults_->list()) {
      if (fault.path == path || fault.path.starts_with(path + ".")) {
        return true;
      }
    }
    return false;
  }

  // The place of `path`, or of the nearest thing around it.
  Position PositionOf(std::string path) const {
    while (!path.empty()) {
      const auto it = positions_.find(path);
      if (it != positions_.end()) return it->second;
      const size_t cut = path.find_last_of(".[");
      path.resize(cut == std::string::npos ? 0 : cut);
    }
    return {1, 1};
  }

  std::string directory_;
  Faults* faults_;
  std::map<std::string, Position> positions_;
};

}  // namespace
}  // namespace config

absl::StatusOr<Config> Config::FromText(std::string_view yaml,
                                        std::string_view name,
                                        std::string_view directory) {
  config::Faults faults;
  Config config;
  const std::optional<config::Node> root = config::ReadDocument(yaml, &faults);
  if (root.has_value()) {
    config::Reader(std::string(directory), &faults).Read(*root, &config);
  }
  TIELINE_RETURN_IF_ERROR(faults.ToStatus(name));
  return config;
}

absl::StatusOr<Config> Config::FromFile(const std::string& path) {
  auto text = config::ReadFile(path, config::kMaxTextBytes);
  if (!text.ok()) return text.status();
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/."
                                             : path.substr(0, slash);
  return FromText(*text, path, directory);
}

}  // namespace tieline::inline v0
