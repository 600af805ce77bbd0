#include "tieline/properties.h"

#include <algorithm>

namespace tieline::inline v0 {

void Properties::Set(std::string_view name, Value value) {
  for (Property& p : list_) {
    if (p.name == name) {
      p.value = std::move(value);
      return;
    }
  }
  list_.push_back({std::string(name), std::move(value)});
}

bool Properties::Remove(std::string_view name) {
  return std::erase_if(list_,
                       [&](const Property& p) { return p.name == name; }) > 0;
}

bool Properties::Rename(std::string_view from, std::string_view to) {
  if (Find(from) == nullptr) return false;
  if (from == to) return true;
  Remove(to);
  for (Property& p : list_) {
    if (p.name == from) p.name = std::string(to);
  }
  return true;
}

bool operator==(const Properties& a, const Properties& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&](const Property& p) {
    const Value* other = b.Find(p.name);
    return other != nullptr && *other == p.value;
  });
}

}  // namespace tieline::inline v0
