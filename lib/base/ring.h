// Ring: a queue in one block of memory that grows by doubling and is kept when
// it runs empty: no allocation for each element, unlike std::deque's blocks.
//
// T is default constructible and movable; what was popped is left moved-from.
// Bounds are the owner's. Threads: none of its own.
#ifndef TIELINE_LIB_BASE_RING_H_
#define TIELINE_LIB_BASE_RING_H_

#include <cstddef>
#include <utility>
#include <vector>

namespace tieline::inline v0 {

template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return slots_[(first_ + i) & mask_]; }
  const T& operator[](size_t i) const { return slots_[(first_ + i) & mask_]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == slots_.size()) Grow();
    slots_[(first_ + size_++) & mask_] = std::move(value);
  }
  void push_front(T value) {
    if (size_ == slots_.size()) Grow();
    first_ = (first_ - 1) & mask_;
    ++size_;
    slots_[first_] = std::move(value);
  }
  T pop_front() {
    T value = std::move(slots_[first_]);
    first_ = (first_ + 1) & mask_;
    --size_;
    return value;
  }
  // Drops the first `n`.
  void pop_front(size_t n) {
    for (; n > 0; --n) static_cast<void>(pop_front());
  }
  void clear() { pop_front(size_); }
  // Keeps the order of what stays. `gone` sees each once, in order.
  template <typename Gone>
  void EraseIf(Gone gone) {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      T& value = (*this)[i];
      if (gone(value)) continue;
      if (kept != i) (*this)[kept] = std::move(value);
      ++kept;
    }
    for (; size_ > kept; --size_) back() = T();
  }

 private:
  void Grow() {
    constexpr size_t kLeast = 16;
    std::vector<T> larger(slots_.empty() ? kLeast : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_.swap(larger);
    first_ = 0;
    mask_ = slots_.size() - 1;
  }

  std::vector<T> slots_;
  size_t first_ = 0;
  size_t size_ = 0;
  size_t mask_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_BASE_RING_H_
