// The schema of a config: one table that drives the parser, the check for
// unknown fields, URL parameters, Config::ToYaml, JsonSchema and
// ReferenceMarkdown. A new field is one new line here. Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_SCHEMA_H_
#define TIELINE_LIB_CONFIG_SCHEMA_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

enum class Kind : uint8_t {
  kText,
  kInputFile,  // path of a file that must be readable
  kFile,       // path of a file
  kBool,
  kInteger,
  kSize,      // bytes: a number, or one with KiB, MiB or GiB
  kDuration,  // "250ms", "10s", "1h30m"
  kChoice,    // one of Field::choices
  kSecret,    // { env: NAME } or { file: PATH }
  kUrl,
  kTextMap,    // names to text
  kPathList,   // paths of files
  kObject,     // a nested object
  kObjectMap,  // names to objects
  kObjectList,
  kSteps,  // the steps of a route
};

// The value of one field on its way in or out. Integers, sizes and choices (by
// place in the list) are int64_t.
using TextMap = std::map<std::string, std::string>;
using TextList = std::vector<std::string>;
using FieldValue = std::variant<std::monostate, bool, int64_t, absl::Duration,
                                std::string, Secret, TextMap, TextList, Url>;

// Generations of a queue go up to here.
inline constexpr int64_t kMaxGeneration = 4294967295;

struct Object;

// How a field reaches its member; which of the functions are there follows
// from the kind.
struct Binding {
  void (*set)(void* object, FieldValue value) = nullptr;
  FieldValue (*get)(const void* object) = nullptr;
  void* (*at)(void* object) = nullptr;  // kObject, kSteps
  // kObjectMap and kObjectList: adds a member, and lists all.
  void* (*add)(void* object, const std::string& name) = nullptr;
  std::vector<std::pair<std::string, void*>> (*all)(void* object) = nullptr;
};

struct Field {
  std::string_view name;
  Kind kind = Kind::kText;
  Binding binding = {};
  std::string_view default_text = {};  // as one would write it; empty: see doc
  std::string_view doc = {};
  bool required = false;
  int64_t min = 0;  // kInteger, kSize
  int64_t max = 0;
  std::span<const std::string_view> choices = {};
  const Object* object = nullptr;
  // The parameter's name in a URL; empty: none. A secret's is followed by
  // _env or _file.
  std::string_view param = {};
};

struct Object {
  std::string_view name;
  std::string_view doc = {};
  std::span<const Field> fields;
  const void* defaults = nullptr;  // an object with every field's default
  // The field that a text in place of a mapping stands for; empty: none may.
  std::string_view text_field = {};
};

const Object& RootObject();
const Object& BrokerObject();
const Object& TlsObject();
const Object& AuthObject();
const Object& StateObject();
const Object& QueueObject();
const Object& FormerBrokerObject();
const Object& MoveObject();
const Object& RouteObject();

// Null when there is none by that name.
const Field* FindField(const Object& object, std::string_view name);
std::vector<std::string_view> FieldNames(const Object& object);

// "text", "duration", "one of none, key": for errors and the reference.
std::string KindText(const Field& field);

namespace internal {

template <typename T>
struct MemberOf;
template <typename C, typename M>
struct MemberOf<M C::*> {
  using Class = C;
  using Member = M;
};

template <typename M>
FieldValue Wrap(const M& member) {
  constexpr bool kIsNumber = std::is_integral_v<M> && !std::is_same_v<M, bool>;
  if constexpr (kIsNumber || std::is_enum_v<M>) {
    return static_cast<int64_t>(member);
  } else {
    return member;
  }
}

template <typename M>
void Unwrap(FieldValue value, M* member) {
  if constexpr (std::is_same_v<M, bool>) {
    *member = std::get<bool>(value);
  } else if constexpr (std::is_integral_v<M> || std::is_enum_v<M>) {
    *member = static_cast<M>(std::get<int64_t>(value));
  } else {
    *member = std::get<M>(std::move(value));
  }
}

}  // namespace internal

// A field that holds a value.
template <auto kMember>
constexpr Binding Bind() {
  using Traits = internal::MemberOf<decltype(kMember)>;
  using Class = typename Traits::Class;
  Binding binding = {};
  binding.set = [](void* object, FieldValue value) {
    internal::Unwrap(std::move(value),
                     &(static_cast<Class*>(object)->*kMember));
  };
  binding.get = [](const void* object) {
    return internal::Wrap(static_cast<const Class*>(object)->*kMember);
  };
  return binding;
}

// A field that holds an object or the steps.
template <auto kMember>
constexpr Binding BindObject() {
  using Class = typename internal::MemberOf<decltype(kMember)>::Class;
  Binding binding = {};
  binding.at = [](void* object) -> void* {
    return &(static_cast<Class*>(object)->*kMember);
  };
  return binding;
}

// A map of named objects, whose name is also their member `name`.
template <auto kMember>
constexpr Binding BindMap() {
  using Class = typename internal::MemberOf<decltype(kMember)>::Class;
  Binding binding = {};
  binding.add = [](void* object, const std::string& name) -> void* {
    auto& member = (static_cast<Class*>(object)->*kMember)[name];
    member.name = name;
    return &member;
  };
  binding.all = [](void* object) {
    std::vector<std::pair<std::string, void*>> out;
    for (auto& [name, member] : static_cast<Class*>(object)->*kMember) {
      out.emplace_back(name, &member);
    }
    return out;
  };
  return binding;
}

template <auto kMember>
constexpr Binding BindList() {
  using Class = typename internal::MemberOf<decltype(kMember)>::Class;
  Binding binding = {};
  binding.add = [](void* object, const std::string&) -> void* {
    return &(static_cast<Class*>(object)->*kMember).emplace_back();
  };
  binding.all = [](void* object) {
    std::vector<std::pair<std::string, void*>> out;
    for (auto& member : static_cast<Class*>(object)->*kMember) {
      out.emplace_back("", &member);
    }
    return out;
  };
  return binding;
}

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_SCHEMA_H_
