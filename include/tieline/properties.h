// Properties: an ordered list of named values, names unique.
//
// Look-ups are linear: messages carry a handful. Threads: as a std::vector.
#ifndef TIELINE_PROPERTIES_H_
#define TIELINE_PROPERTIES_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <utility>

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
  Properties(const Properties& other);
  Properties(Properties&& other) noexcept
      : list_(std::exchange(other.list_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Properties& operator=(Properties other) noexcept {
    std::swap(list_, other.list_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Properties() {
    if (list_ != nullptr) Free();
  }

  // The value, or null when there is none by that name.
  const Value* Find(std::string_view name) const {
    for (const Property& p : *this) {
      if (p.name == name) return &p.value;
    }
    return nullptr;
  }
  // Replaces in place, or appends.
  void Set(std::string_view name, Value value);
  // Appends without looking for the name: for decoders that have checked.
  void Append(std::string_view name, Value value) {
    Append(name) = std::move(value);
  }
  // The same, with a null value to be filled in; valid until the next change.
  Value& Append(std::string_view name) {
    if (size_ == capacity_) return AppendToFull(name);
    return (new (list_ + size_++) Property{std::string(name), {}})->value;
  }
  // True when there was one.
  bool Remove(std::string_view name);
  // True when `from` was there; a property already called `to` is replaced.
  bool Rename(std::string_view from, std::string_view to);
  void Clear();
  void Reserve(size_t n) {
    if (n > capacity_) Grow(n);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Property* begin() const { return list_; }
  const Property* end() const { return list_ + size_; }

  // Same names with same values; the order does not count.
  friend bool operator==(const Properties& a, const Properties& b);

 private:
  // Room for `n` at least.
  void Grow(size_t n);
  Value& AppendToFull(std::string_view name);
  void Free();

  // A std::vector in less memory, which is used again.
  Property* list_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_PROPERTIES_H_
