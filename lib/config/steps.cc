#include "lib/config/steps.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace tieline::inline v0 {
namespace config {
namespace {

using K = RouteStep::Kind;

constexpr std::array<StepSpec, 7> kSteps = {{
    {"where", K::kWhere, StepForm::kValues,
     "Pass only messages that have all these properties with these values. "
     "What does not pass is completed and counted as filtered."},
    {"where_not", K::kWhereNot, StepForm::kValues,
     "Pass only messages that have none of these properties with these "
     "values."},
    {"set", K::kSet, StepForm::kValues, "Set properties."},
    {"rename", K::kRename, StepForm::kNames,
     "Rename properties, from old to new name."},
    {"drop", K::kDrop, StepForm::kList, "Remove properties."},
    {"key_from", K::kKeyFrom, StepForm::kText,
     "Take the key from the text of this property."},
    {"key", K::kKeySet, StepForm::kText, "Give every message this key."},
}};

constexpr size_t kMaxSteps = 1000;

const StepSpec* FindStep(std::string_view name) {
  for (const StepSpec& step : kSteps) {
    if (step.name == name) return &step;
  }
  return nullptr;
}

const StepSpec& SpecOf(RouteStep::Kind kind) {
  for (const StepSpec& step : kSteps) {
    if (step.kind == kind) return step;
  }
  return kSteps[0];
}

template <typename T>
std::optional<T> WholeNumber(std::string_view text) {
  T number{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

// A plain scalar by YAML's core schema: true, false, integers, floats, text.
Value PlainValue(const Node& node) {
  const std::string& text = node.text;
  if (node.quoted) return Value(text);
  if (text == "true") return Value(true);
  if (text == "false") return Value(false);
  if (const auto n = WholeNumber<int64_t>(text)) return Value(*n);
  const bool numeric =
      !text.empty() &&
      text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (numeric) {
    if (const auto n = WholeNumber<double>(text)) return Value(*n);
  }
  return Value(text);
}

class Reader {
 public:
  Reader(std::vector<RouteStep>* steps, Faults* faults)
      : steps_(steps), faults_(faults) {}

  void Step(const Node& item, const std::string& path) {
    std::vector<std::string_view> names;
    names.reserve(std::size(kSteps));
    for (const StepSpec& step : kSteps) names.push_back(step.name);
    if (item.kind != Node::Kind::kMap || item.entries.size() != 1) {
      faults_->Add(
          path, item.at,
          fmt::format("expected one step in each item of the list, "
                      "such as \"- drop: [debug]\", found {}",
                      item.entries.size() > 1 ? "several" : Describe(item)));
      return;
    }
    const Entry& entry = item.entries[0];
    const StepSpec* spec = FindStep(entry.name);
    if (spec == nullptr) {
      faults_->Add(path, entry.at,
                   fmt::format("unknown step \"{}\"{}", entry.name,
                               Suggestion(entry.name, names)));
      return;
    }
    const std::string inner = JoinPath(path, spec->name);
    switch (spec->form) {
      case StepForm::kValues:
        return Values(*spec, entry.value, inner);
      case StepForm::kNames:
        return Names(*spec, entry.value, inner);
      case StepForm::kList:
        return List(*spec, entry.value, inner);
      case StepForm::kText:
        return Text(*spec, entry.value, inner);
    }
  }

 private:
  void Wrong(const std::string& path, const Node& node,
             std::string_view expected) {
    faults_->Add(
        path, node.at,
        fmt::format("expected {}, found {}", expected, Describe(node)));
  }

  void Values(const StepSpec& spec, const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kMap || node.entries.empty()) {
      return Wrong(path, node, "properties and values: { NAME: VALUE }");
    }
    for (const Entry& entry : node.entries) {
      const std::string at = JoinPath(path, entry.name);
      auto value = TypedValue(entry.value, at);
      if (!value.has_value()) continue;
      steps_->push_back({spec.kind, entry.name, "", *std::move(value)});
    }
  }

  std::optional<Value> TypedValue(const Node& node, const std::string& path) {
    if (node.kind == Node::Kind::kNull) return Value();
    if (node.kind == Node::Kind::kScalar) return PlainValue(node);
    if (node.kind == Node::Kind::kList || node.entries.size() != 1) {
      Wrong(path, node, "a value, or { TYPE: VALUE } such as { long: 5 }");
      return std::nullopt;
    }
    const Entry& entry = node.entries[0];
    const auto type = TypeFromName(entry.name);
    if (!type.has_value()) {
      std::vector<std::string_view> names;
      for (int t = 0; t <= static_cast<int>(Type::kDescribed); ++t) {
        names.push_back(TypeName(static_cast<Type>(t)));
      }
      faults_->Add(path, entry.at,
                   fmt::format("unknown type \"{}\"{}", entry.name,
                               Suggestion(entry.name, names)));
      return std::nullopt;
    }
    if (entry.value.kind == Node::Kind::kList ||
        entry.value.kind == Node::Kind::kMap) {
      Wrong(path, entry.value, "text of the value");
      return std::nullopt;
    }
    auto value = Value::Parse(*type, entry.value.text);
    if (!value.ok()) {
      faults_->Add(path, entry.value.at, std::string(value.status().message()));
      return std::nullopt;
    }
    return *std::move(value);
  }

  void Names(const StepSpec& spec, const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kMap || node.entries.empty()) {
      return Wrong(path, node, "names: { OLD: NEW }");
    }
    for (const Entry& entry : node.entries) {
      if (entry.value.kind != Node::Kind::kScalar || entry.value.text.empty()) {
        Wrong(JoinPath(path, entry.name), entry.value, "the new name");
        continue;
      }
      steps_->push_back({spec.kind, entry.name, entry.value.text, {}});
    }
  }

  void List(const StepSpec& spec, const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kList || node.items.empty()) {
      return Wrong(path, node, "a list of names: [NAME, ...]");
    }
    for (const Node& item : node.items) {
      if (item.kind != Node::Kind::kScalar || item.text.empty()) {
        Wrong(path, item, "a name");
        continue;
      }
      steps_->push_back({spec.kind, item.text, "", {}});
    }
  }

  void Text(const StepSpec& spec, const Node& node, const std::string& path) {
    if (node.kind != Node::Kind::kScalar || node.text.empty()) {
      return Wrong(path, node,
                   spec.kind == K::kKeyFrom ? "the name of a property"
                                            : "the key's text");
    }
    RouteStep step;
    step.kind = spec.kind;
    (spec.kind == K::kKeyFrom ? step.name : step.to) = node.text;
    steps_->push_back(std::move(step));
  }

  std::vector<RouteStep>* steps_;
  Faults* faults_;
};

std::string ValueToYaml(const Value& value) {
  std::string text = value.ToText();
  switch (value.type()) {
    case Type::kNull:
      return "null";
    case Type::kBool:
    case Type::kLong:
      return text;
    case Type::kString:
      return QuoteYaml(text);
    default:
      return fmt::format("{{ {}: {} }}", TypeName(value.type()),
                         QuoteYaml(text));
  }
}

}  // namespace

std::span<const StepSpec> StepSpecs() { return kSteps; }

void ReadSteps(const Node& list, const std::string& path,
               std::vector<RouteStep>* steps, Faults* faults) {
  if (list.kind != Node::Kind::kList) {
    faults->Add(
        path, list.at,
        fmt::format("expected a list of steps, found {}", Describe(list)));
    return;
  }
  if (list.items.size() > kMaxSteps) {
    faults->Add(path, list.at, "more than 1000 steps");
    return;
  }
  Reader reader(steps, faults);
  for (size_t i = 0; i < list.items.size(); ++i) {
    reader.Step(list.items[i], fmt::format("{}[{}]", path, i));
  }
}

void CheckSteps(const std::vector<RouteStep>& steps, const std::string& path,
                Faults* faults) {
  for (size_t i = 0; i < steps.size(); ++i) {
    const RouteStep& step = steps[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    if (step.kind != K::kKeySet && step.name.empty()) {
      faults->Add(at, {}, "names no property");
    }
    if ((step.kind == K::kRename || step.kind == K::kKeySet) &&
        step.to.empty()) {
      faults->Add(at, {},
                  step.kind == K::kRename ? "has no new name" : "has no key");
    }
  }
}

std::string StepsToYaml(const std::vector<RouteStep>& steps,
                        const std::string& indent) {
  std::string out;
  for (const RouteStep& step : steps) {
    const StepSpec& spec = SpecOf(step.kind);
    out += fmt::format("{}- {}: ", indent, spec.name);
    switch (spec.form) {
      case StepForm::kValues:
        out += fmt::format("{{ {}: {} }}", QuoteYaml(step.name),
                           ValueToYaml(step.value));
        break;
      case StepForm::kNames:
        out += fmt::format("{{ {}: {} }}", QuoteYaml(step.name),
                           QuoteYaml(step.to));
        break;
      case StepForm::kList:
        out += fmt::format("[{}]", QuoteYaml(step.name));
        break;
      case StepForm::kText:
        out += QuoteYaml(step.kind == K::kKeyFrom ? step.name : step.to);
        break;
    }
    out += '\n';
  }
  return out;
}

std::string QuoteYaml(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      "0123456789_./-";
  const bool letter = !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') ||
                                        (text[0] >= 'A' && text[0] <= 'Z'));
  if (letter && text != "true" && text != "false" && text != "null" &&
      text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace config
}  // namespace tieline::inline v0
