#include "lib/config/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tieline::inline v0 {
namespace config {

const Field* FindField(const Object& object, std::string_view name) {
  for (const Field& field : object.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::vector<std::string_view> FieldNames(const Object& object) {
  std::vector<std::string_view> names;
  for (const Field& field : object.fields) names.push_back(field.name);
  return names;
}

std::string KindText(const Field& field) {
  switch (field.kind) {
    case Kind::kText:
      return "text";
    case Kind::kInputFile:
    case Kind::kFile:
      return "path";
    case Kind::kBool:
      return "true or false";
    case Kind::kInteger:
      return fmt::format("number from {} to {}", field.min, field.max);
    case Kind::kSize:
      return "size, such as 64MiB";
    case Kind::kDuration:
      return "duration, such as 250ms or 10s";
    case Kind::kChoice:
      return fmt::format("one of {}", fmt::join(field.choices, ", "));
    case Kind::kSecret:
      return "{ env: NAME } or { file: PATH }";
    case Kind::kUrl:
      return "URL";
    case Kind::kTextMap:
      return "mapping of names to text";
    case Kind::kPathList:
      return "list of paths";
    case Kind::kObject:
      return "mapping";
    case Kind::kObjectMap:
      return "mapping of names to mappings";
    case Kind::kObjectList:
      return field.object->text_field.empty() ? "list of mappings"
                                              : "list of names or mappings";
    case Kind::kSteps:
      return "list of steps";
  }
  return "";
}

}  // namespace config
}  // namespace tieline::inline v0
