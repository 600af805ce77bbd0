// Config::JsonSchema and ReferenceMarkdown, from the table.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lib/config/schema.h"
#include "lib/config/steps.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {
namespace {

using Json = nlohmann::ordered_json;

Json ObjectSchema(const Object& object);

Json Named(const Json& values) {
  return {{"type", "object"}, {"additionalProperties", values}};
}

Json SecretSchema() {
  Json choices = Json::array();
  for (const char* name : {"env", "file"}) {
    choices.push_back({{"type", "object"},
                       {"properties", {{name, {{"type", "string"}}}}},
                       {"required", {name}},
                       {"additionalProperties", false}});
  }
  return {{"oneOf", choices}};
}

Json StepSchema(const StepSpec& step) {
  switch (step.form) {
    case StepForm::kValues:
      return Named(Json::object());
    case StepForm::kNames:
      return Named({{"type", "string"}});
    case StepForm::kList:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case StepForm::kText:
      return {{"type", "string"}};
  }
  return {};
}

Json StepsSchema() {
  Json properties;
  for (const StepSpec& step : StepSpecs()) {
    Json one = StepSchema(step);
    one["description"] = step.doc;
    properties[std::string(step.name)] = one;
  }
  return {{"type", "array"},
          {"items",
           {{"type", "object"},
            {"properties", properties},
            {"additionalProperties", false},
            {"minProperties", 1},
            {"maxProperties", 1}}}};
}

Json FieldSchema(const Field& field) {
  switch (field.kind) {
    case Kind::kBool:
      return {{"type", "boolean"}};
    case Kind::kInteger:
      return {
          {"type", "integer"}, {"minimum", field.min}, {"maximum", field.max}};
    case Kind::kSize:
      return {{"type", {"integer", "string"}},
              {"pattern", "^[0-9]+ ?([KMG]iB)?$"}};
    case Kind::kDuration:
      return {{"type", "string"},
              {"pattern", "^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$"}};
    case Kind::kChoice: {
      Json choices = Json::array();
      for (std::string_view choice : field.choices) choices.push_back(choice);
      return {{"enum", choices}};
    }
    case Kind::kSecret:
      return SecretSchema();
    case Kind::kTextMap:
      return Named({{"type", {"string", "number", "boolean"}}});
    case Kind::kObject:
      return ObjectSchema(*field.object);
    case Kind::kObjectMap:
      return Named(ObjectSchema(*field.object));
    case Kind::kPathList:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case Kind::kObjectList: {
      Json item = ObjectSchema(*field.object);
      if (!field.object->text_field.empty()) {
        item = {{"oneOf", {{{"type", "string"}}, item}}};
      }
      return {{"type", "array"}, {"items", item}};
    }
    case Kind::kSteps:
      return StepsSchema();
    case Kind::kText:
      return {{"type", {"string", "number", "boolean"}}};
    default:
      return {{"type", "string"}};
  }
}

Json ObjectSchema(const Object& object) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field& field : object.fields) {
    Json one = FieldSchema(field);
    one["description"] = field.doc;
    if (!field.default_text.empty()) one["default"] = field.default_text;
    properties[std::string(field.name)] = one;
    if (field.required) required.push_back(field.name);
  }
  Json schema = {{"type", "object"},
                 {"properties", properties},
                 {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}

std::string DefaultText(const Field& field) {
  if (field.required) return "required";
  return field.default_text.empty() ? ""
                                    : fmt::format("`{}`", field.default_text);
}

std::string ParamText(const Field& field) {
  if (field.param.empty()) {
    return field.kind == Kind::kTextMap ? "`set.NAME`" : "";
  }
  if (field.kind == Kind::kSecret) {
    return fmt::format("`{0}_env`, `{0}_file`", field.param);
  }
  return fmt::format("`{}`", field.param);
}

void ObjectReference(const Object& object, const std::string& path,
                     std::string* out) {
  *out += fmt::format("## `{}`\n\n{}\n\n", path, object.doc);
  *out += "| field | value | default | in a URL | meaning |\n";
  *out += "|---|---|---|---|---|\n";
  for (const Field& field : object.fields) {
    std::string param = ParamText(field);
    if (&object == &BrokerObject() && field.kind == Kind::kTextMap) {
      param = "`broker.set.NAME`";
    }
    *out += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.name,
                        KindText(field), DefaultText(field), param, field.doc);
  }
  *out += '\n';
  for (const Field& field : object.fields) {
    const std::string inner = fmt::format("{}.{}", path, field.name);
    if (field.kind == Kind::kObject) {
      ObjectReference(*field.object, inner, out);
    } else if (field.kind == Kind::kObjectList) {
      ObjectReference(*field.object, inner + "[]", out);
    }
  }
}

void StepsReference(std::string* out) {
  *out +=
      "## `routes[].steps`\n\n"
      "A list; each item is one step. Values are typed: `5` is a long, "
      "`1.5` a double, `true` a bool, `null` null, all else a string; "
      "`{ TYPE: VALUE }` names another AMQP type, such as `{ uint: 5 }` or "
      "`{ timestamp: \"2026-01-31T12:00:00Z\" }`.\n\n"
      "| step | meaning |\n|---|---|\n";
  for (const StepSpec& step : StepSpecs()) {
    std::string_view form;
    switch (step.form) {
      case StepForm::kValues:
        form = "{ NAME: VALUE, ... }";
        break;
      case StepForm::kNames:
        form = "{ OLD: NEW, ... }";
        break;
      case StepForm::kList:
        form = "[NAME, ...]";
        break;
      case StepForm::kText:
        form = step.kind == RouteStep::Kind::kKeyFrom ? "NAME" : "TEXT";
        break;
    }
    *out += fmt::format("| `{}: {}` | {} |\n", step.name, form, step.doc);
  }
}

}  // namespace
}  // namespace config

std::string Config::JsonSchema() {
  config::Json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "Tieline configuration"}};
  schema.update(config::ObjectSchema(config::RootObject()));
  return schema.dump(2) + "\n";
}

std::string Config::ReferenceMarkdown() {
  std::string out = "| section | holds | meaning |\n|---|---|---|\n";
  for (const config::Field& field : config::RootObject().fields) {
    out += fmt::format("| `{}` | {} | {} |\n", field.name,
                       config::KindText(field), field.doc);
  }
  out += '\n';
  config::ObjectReference(config::BrokerObject(), "brokers.NAME", &out);
  config::ObjectReference(config::QueueObject(), "queues.NAME", &out);
  config::ObjectReference(config::RouteObject(), "routes[]", &out);
  config::StepsReference(&out);
  out += '\n';
  config::ObjectReference(config::StateObject(), "state", &out);
  config::ObjectReference(config::MoveObject(), "move", &out);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace tieline::inline v0
