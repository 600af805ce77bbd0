// Config::AddUrl and AddBrokerUrl: a broker and a queue from one URL.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/config/check.h"
#include "lib/config/field_text.h"
#include "lib/config/schema.h"
#include "lib/config/schemes.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr std::string_view kQueueSetting = "set.";
constexpr std::string_view kBrokerSetting = "broker.set.";

// A field that a parameter may set, and where.
struct Target {
  const Field* field;
  void* object;
};

class UrlReader {
 public:
  UrlReader(const Url& url, BrokerConfig* broker, QueueConfig* queue)
      : url_(url), broker_(broker), queue_(queue) {
    Collect(BrokerObject(), broker);
    Collect(TlsObject(), &broker->tls);
    Collect(AuthObject(), &broker->auth);
    Collect(QueueObject(), queue);
  }

  absl::Status Read() {
    broker_->url.scheme = url_.scheme;
    broker_->url.hosts = url_.hosts;
    broker_->auth.user = url_.user;
    broker_->auth.password = url_.password;
    queue_->entity = url_.path;
    bool tls_said = false;
    bool tls_used = false;
    for (const auto& [name, value] : url_.params) {
      TIELINE_RETURN_IF_ERROR(Annotate(
          Parameter(name, value), fmt::format("url: parameter \"{}\"", name)));
      tls_said |= name == "tls";
      tls_used |=
          FindField(TlsObject(), name) != nullptr || name.starts_with("key_");
    }
    if (tls_used && !tls_said) broker_->tls.enabled = true;
    CompleteBroker(broker_);
    if (!url_.password.empty() && !broker_->tls.enabled && !IsLocal(url_) &&
        !broker_->allow_plaintext) {
      return InvalidArgument(
          "url: a password would cross the network in plaintext; use TLS, and "
          "password_env or password_file");
    }
    return absl::OkStatus();
  }

 private:
  void Collect(const Object& object, void* into) {
    for (const Field& field : object.fields) {
      if (!field.param.empty()) targets_.push_back({&field, into});
    }
  }

  absl::Status Parameter(const std::string& name, const std::string& value) {
    const std::string_view view = name;
    if (view.starts_with(kQueueSetting)) {
      queue_->settings[name.substr(kQueueSetting.size())] = value;
      return absl::OkStatus();
    }
    if (view.starts_with(kBrokerSetting)) {
      broker_->settings[name.substr(kBrokerSetting.size())] = value;
      return absl::OkStatus();
    }
    for (const Target& target : targets_) {
      const Field& field = *target.field;
      if (field.kind == Kind::kSecret) {
        if (name == field.param) {
          return InvalidArgument(
              "a secret is not written here; use {0}_env or "
              "{0}_file",
              name);
        }
        if (!view.starts_with(field.param)) continue;
        const std::string_view rest = view.substr(field.param.size());
        if (rest != "_env" && rest != "_file") continue;
        auto secret =
            rest == "_env" ? SecretFromEnv(value) : SecretFromFile(value);
        if (!secret.ok()) return secret.status();
        field.binding.set(target.object, *std::move(secret));
        return absl::OkStatus();
      }
      if (name != field.param) continue;
      auto parsed = ParseFieldText(field, value, "");
      if (!parsed.ok()) return parsed.status();
      field.binding.set(target.object, *std::move(parsed));
      return absl::OkStatus();
    }
    return InvalidArgument("unknown{}", Suggestion(name, Names()));
  }

  std::vector<std::string_view> Names() const {
    std::vector<std::string_view> names;
    for (const Target& target : targets_) {
      if (target.field->kind != Kind::kSecret) {
        names.push_back(target.field->param);
      }
    }
    for (std::string_view name :
         {"password_env", "password_file", "key_file", "key_env"}) {
      names.push_back(name);
    }
    return names;
  }

  const Url& url_;
  BrokerConfig* broker_;
  QueueConfig* queue_;
  std::vector<Target> targets_;
};

bool SameFields(const Object& object, void* a, void* b);

bool SameLists(const Field& field, void* a, void* b) {
  const auto left = field.binding.all(a);
  const auto right = field.binding.all(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const auto& one, const auto& other) {
                      return SameFields(*field.object, one.second,
                                        other.second);
                    });
}

// Two objects of one kind have the same fields, names aside.
bool SameFields(const Object& object, void* a, void* b) {
  for (const Field& field : object.fields) {
    if (field.kind == Kind::kObject) {
      if (!SameFields(*field.object, field.binding.at(a),
                      field.binding.at(b))) {
        return false;
      }
    } else if (field.kind == Kind::kObjectList) {
      if (!SameLists(field, a, b)) return false;
    } else if (field.kind == Kind::kSecret || field.kind == Kind::kTextMap) {
      const FieldValue left = field.binding.get(a);
      const FieldValue right = field.binding.get(b);
      const bool same =
          field.kind == Kind::kSecret
              ? std::get<Secret>(left) == std::get<Secret>(right)
              : std::get<TextMap>(left) == std::get<TextMap>(right);
      if (!same) return false;
    } else if (FieldText(field, field.binding.get(a)) !=
               FieldText(field, field.binding.get(b))) {
      return false;
    }
  }
  return true;
}

// Finds the member that equals `wanted`, or puts it in under `base`, or
// `base`#2, ... when that name is taken.
template <typename T>
std::string PutUnder(const std::string& base, const Object& object, T wanted,
                     std::map<std::string, T>* members) {
  for (int i = 1;; ++i) {
    std::string name = i == 1 ? base : fmt::format("{}#{}", base, i);
    wanted.name = name;
    const auto [it, added] = members->emplace(name, wanted);
    if (added || SameFields(object, &it->second, &wanted)) return name;
  }
}

absl::StatusOr<std::string> Add(Config* config, std::string_view text,
                                bool with_queue) {
  TIELINE_ASSIGN_OR_RETURN(const Url url, Url::Parse(text));
  BrokerConfig broker;
  QueueConfig queue;
  TIELINE_RETURN_IF_ERROR(UrlReader(url, &broker, &queue).Read());
  if (with_queue && url.path.empty()) {
    return InvalidArgument("url: names no queue; expected {}://{}/ENTITY",
                           url.scheme, url.HostList(0));
  }
  const std::string base = broker.url.ToString();
  Url with_path = broker.url;
  with_path.path = url.path;
  const std::string queue_base = with_path.ToString();
  Config alone;
  broker.name = base;
  alone.brokers[base] = broker;
  if (with_queue) {
    queue.broker = base;
    queue.name = queue_base;
    alone.queues[queue_base] = queue;
  }
  Faults faults;
  Check(alone, &faults);
  if (!faults.empty()) return InvalidArgument("url: {}", faults.list()[0].text);

  const std::string name =
      PutUnder(base, BrokerObject(), std::move(broker), &config->brokers);
  if (!with_queue) return name;
  queue.broker = name;
  return PutUnder(queue_base, QueueObject(), std::move(queue), &config->queues);
}

}  // namespace
}  // namespace config

absl::StatusOr<std::string> Config::AddUrl(std::string_view url) {
  return config::Add(this, url, /*with_queue=*/true);
}

absl::StatusOr<std::string> Config::AddBrokerUrl(std::string_view url) {
  return config::Add(this, url, /*with_queue=*/false);
}

}  // namespace tieline::inline v0
