// Bytes: a reference-counted, immutable slice of memory.
//
// A slice pins the buffer that it came from: a received body may point into a
// client library's receive buffer, so keep what is kept long with Own().
// Threads: distinct Bytes objects may be used from distinct threads, also when
// they share a buffer; one object follows the rules of a std::string.
#ifndef TIELINE_BYTES_H_
#define TIELINE_BYTES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tieline::inline v0 {

// A buffer with a reference count. Made with one reference, which belongs to
// whoever made it. Any thread may Ref and Unref.
class BytesOwner {
 public:
  BytesOwner() = default;
  BytesOwner(const BytesOwner&) = delete;
  BytesOwner& operator=(const BytesOwner&) = delete;

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.load(std::memory_order_acquire) == 1 ||
        refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      Destroy();
    }
  }
  // True when the caller's reference is the only one.
  bool unique() const { return refs_.load(std::memory_order_acquire) == 1; }

 protected:
  virtual ~BytesOwner() = default;
  // Called once, by the thread that dropped the last reference.
  virtual void Destroy() { delete this; }
  // For owners that are used again after Destroy().
  void ResetRefs() { refs_.store(1, std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> refs_{1};
};

class Bytes {
 public:
  // No bytes at all: empty().
  Bytes() = default;
  // A copy of `data` in a buffer of its own.
  static Bytes Copy(std::string_view data);
  // Takes over the string's memory.
  static Bytes Take(std::string data);
  // Points at memory that outlives every copy (literals, static tables).
  static Bytes Unowned(std::string_view data) {
    return Bytes(data.data(), data.size(), nullptr);
  }
  // Points at memory kept alive by `owner`; takes over one reference.
  static Bytes Adopt(std::string_view data, BytesOwner* owner) {
    return Bytes(data.data(), data.size(), owner);
  }

  Bytes(const Bytes& other)
      : data_(other.data_), size_(other.size_), owner_(other.owner_) {
    if (owner_ != nullptr) owner_->Ref();
  }
  Bytes(Bytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        owner_(std::exchange(other.owner_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~Bytes() {
    if (owner_ != nullptr) owner_->Unref();
  }

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  // The buffer that this slice pins; null for Unowned memory.
  BytesOwner* owner() const { return owner_; }

  // The part [offset, offset + size), cut to what there is; pins the same
  // buffer.
  Bytes Slice(size_t offset, size_t size = std::string_view::npos) const;
  // The same bytes in a buffer of their own, of exactly their size.
  Bytes Own() const { return Copy(view()); }

  friend bool operator==(const Bytes& a, const Bytes& b) {
    return a.view() == b.view();
  }

 private:
  Bytes(const char* data, size_t size, BytesOwner* owner)
      : data_(data), size_(size), owner_(owner) {}

  const char* data_ = nullptr;
  size_t size_ = 0;
  BytesOwner* owner_ = nullptr;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_BYTES_H_
