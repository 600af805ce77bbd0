// Properties: an ordered list of named values, names unique.
//
// Look-ups are linear: messages carry a handful. Threads: as a std::vector.
#ifndef TIELINE_PROPERTIES_H_
#define TIELINE_PROPERTIES_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tieline/value.h"

namespace tieline::inline v0 {

struct Property {
  std::string name;
  Value value;
  friend bool operator==(const Property&, const Property&) = default;
};

class Properties {
 public:
  Properties() = default;
  Properties(std::initializer_list<Property> list) {
    for (const Property& p : list) Set(p.name, p.value);
  }

  // The value, or null when there is none by that name.
  const Value* Find(std::string_view name) const {
    for (const Property& p : list_) {
      if (p.name == name) return &p.value;
    }
    return nullptr;
  }
  // Replaces in place, or appends.
  void Set(std::string_view name, Value value);
  // Appends without looking for the name: for decoders that have checked.
  void Append(std::string name, Value value) {
    list_.push_back({std::move(name), std::move(value)});
  }
  // The same, with a null value to be filled in; valid until the next change.
  Value& Append(std::string_view name) {
    Property& p = list_.emplace_back();
    p.name.assign(name);
    return p.value;
  }
  // True when there was one.
  bool Remove(std::string_view name);
  // True when `from` was there; a property already called `to` is replaced.
  bool Rename(std::string_view from, std::string_view to);
  void Clear() { list_.clear(); }
  void Reserve(size_t n) { list_.reserve(n); }

  size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }

  // Same names with same values; the order does not count.
  friend bool operator==(const Properties& a, const Properties& b);

 private:
  std::vector<Property> list_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_PROPERTIES_H_
