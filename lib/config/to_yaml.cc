// Config::ToYaml: what differs from the defaults, secrets as "***".
#include <fmt/format.h>

#include <string>

#include "lib/config/field_text.h"
#include "lib/config/schema.h"
#include "lib/config/steps.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {
namespace {

std::string ObjectToYaml(const Object& object, void* from,
                         const std::string& indent);

std::string TextMapToYaml(std::string_view name, const TextMap& map,
                          const std::string& indent) {
  if (map.empty()) return "";
  std::string out = fmt::format("{}{}:\n", indent, name);
  for (const auto& [key, value] : map) {
    out +=
        fmt::format("{}  {}: {}\n", indent, QuoteYaml(key), QuoteYaml(value));
  }
  return out;
}

std::string PathListToYaml(std::string_view name, const TextList& list,
                           const std::string& indent) {
  if (list.empty()) return "";
  std::string out = fmt::format("{}{}:\n", indent, name);
  for (const std::string& path : list) {
    out += fmt::format("{}  - {}\n", indent, QuoteYaml(path));
  }
  return out;
}

std::string MapToYaml(const Field& field, void* from,
                      const std::string& indent) {
  std::string out;
  for (const auto& [name, member] : field.binding.all(from)) {
    out += fmt::format("{}  {}:\n", indent, QuoteYaml(name));
    out += ObjectToYaml(*field.object, member, indent + "    ");
  }
  return out.empty() ? "" : fmt::format("{}{}:\n", indent, field.name) + out;
}

std::string ListToYaml(const Field& field, void* from,
                       const std::string& indent) {
  std::string out;
  for (const auto& [unused, member] : field.binding.all(from)) {
    std::string item = ObjectToYaml(*field.object, member, indent + "    ");
    if (item.empty()) item = indent + "    {}\n";
    item.replace(indent.size() + 2, 1, "-");
    out += item;
  }
  return out.empty() ? "" : fmt::format("{}{}:\n", indent, field.name) + out;
}

std::string ScalarToYaml(const Object& object, const Field& field, void* from,
                         const std::string& indent) {
  const FieldValue value = field.binding.get(from);
  if (field.kind == Kind::kUrl) {
    Url url = std::get<Url>(value);
    url.user.clear();  // under auth
    url.password = Secret();
    return fmt::format("{}{}: \"{}\"\n", indent, field.name, url.ToString());
  }
  const std::string text = FieldText(field, value);
  if (text == FieldText(field, field.binding.get(object.defaults))) return "";
  const bool plain = field.kind != Kind::kText && field.kind != Kind::kFile &&
                     field.kind != Kind::kInputFile &&
                     field.kind != Kind::kSecret;
  return fmt::format("{}{}: {}\n", indent, field.name,
                     plain ? text : QuoteYaml(text));
}

std::string FieldToYaml(const Object& object, const Field& field, void* from,
                        const std::string& indent) {
  switch (field.kind) {
    case Kind::kObject: {
      const std::string inner =
          ObjectToYaml(*field.object, field.binding.at(from), indent + "  ");
      return inner.empty()
                 ? ""
                 : fmt::format("{}{}:\n{}", indent, field.name, inner);
    }
    case Kind::kObjectMap:
      return MapToYaml(field, from, indent);
    case Kind::kObjectList:
      return ListToYaml(field, from, indent);
    case Kind::kTextMap:
      return TextMapToYaml(field.name,
                           std::get<TextMap>(field.binding.get(from)), indent);
    case Kind::kPathList:
      return PathListToYaml(
          field.name, std::get<TextList>(field.binding.get(from)), indent);
    case Kind::kSteps: {
      const std::string inner = StepsToYaml(
          *static_cast<std::vector<RouteStep>*>(field.binding.at(from)),
          indent + "  ");
      return inner.empty()
                 ? ""
                 : fmt::format("{}{}:\n{}", indent, field.name, inner);
    }
    default:
      return ScalarToYaml(object, field, from, indent);
  }
}

std::string ObjectToYaml(const Object& object, void* from,
                         const std::string& indent) {
  std::string out;
  for (const Field& field : object.fields) {
    out += FieldToYaml(object, field, from, indent);
  }
  return out;
}

}  // namespace
}  // namespace config

std::string Config::ToYaml() const {
  Config copy = *this;  // the bindings reach members through a mutable object
  return config::ObjectToYaml(config::RootObject(), &copy, "");
}

}  // namespace tieline::inline v0
