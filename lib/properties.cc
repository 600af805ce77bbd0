#include "tieline/properties.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/slab.h"

namespace tieline::inline v0 {

Properties::Properties(const Properties& other) {
  Reserve(other.size_);
  std::uninitialized_copy(other.begin(), other.end(), list_);
  size_ = other.size_;
}

void Properties::Grow(size_t n) {
  constexpr size_t kFirst = 4;
  n = std::max({n, size_t{capacity_} * 2, kFirst});
  auto* const list = static_cast<Property*>(SlabAllocate(n * sizeof(Property)));
  std::uninitialized_move(list_, list_ + size_, list);
  if (list_ != nullptr) {
    std::destroy_n(list_, size_);
    SlabFree(list_, capacity_ * sizeof(Property));
  }
  list_ = list;
  capacity_ = static_cast<uint32_t>(n);
}

Value& Properties::AppendToFull(std::string_view name) {
  std::string own(name);  // which may be one of the list's
  Grow(size_ + size_t{1});
  return (new (list_ + size_++) Property{std::move(own), {}})->value;
}

void Properties::Free() {
  std::destroy_n(list_, size_);
  SlabFree(list_, capacity_ * sizeof(Property));
}

void Properties::Clear() {
  std::destroy_n(list_, size_);
  size_ = 0;
}

void Properties::Set(std::string_view name, Value value) {
  for (size_t i = 0; i < size_; ++i) {
    if (list_[i].name == name) {
      list_[i].value = std::move(value);
      return;
    }
  }
  Append(name, std::move(value));
}

bool Properties::Remove(std::string_view name) {
  Property* const last = list_ + size_;
  Property* const found = std::find_if(
      list_, last, [&](const Property& p) { return p.name == name; });
  if (found == last) return false;
  std::move(found + 1, last, found);
  std::destroy_at(last - 1);
  --size_;
  return true;
}

bool Properties::Rename(std::string_view from, std::string_view to) {
  if (Find(from) == nullptr) return false;
  if (from == to) return true;
  // Either may be one of the list's, which Remove moves.
  const std::string old_name(from);
  std::string new_name(to);
  Remove(to);
  for (size_t i = 0; i < size_; ++i) {
    if (list_[i].name != old_name) continue;
    list_[i].name = std::move(new_name);
    break;
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
