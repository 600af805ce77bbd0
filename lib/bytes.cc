#include "tieline/bytes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tieline::inline v0 {
namespace {

// The buffer lies right behind the owner, in one allocation.
class CopiedBytes final : public BytesOwner {
 public:
  static CopiedBytes* Make(std::string_view data) {
    void* memory = ::operator new(sizeof(CopiedBytes) + data.size());
    auto* owner = new (memory) CopiedBytes;
    if (!data.empty()) std::memcpy(owner->data(), data.data(), data.size());
    return owner;
  }
  char* data() { return reinterpret_cast<char*>(this + 1); }

 protected:
  void Destroy() override {
    this->~CopiedBytes();
    ::operator delete(this);
  }
};

class StringBytes final : public BytesOwner {
 public:
  explicit StringBytes(std::string text) : text_(std::move(text)) {}
  std::string_view view() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

Bytes Bytes::Copy(std::string_view data) {
  if (data.empty()) return Unowned("");
  CopiedBytes* owner = CopiedBytes::Make(data);
  return Adopt({owner->data(), data.size()}, owner);
}

Bytes Bytes::Take(std::string data) {
  if (data.empty()) return Unowned("");
  auto* owner = new StringBytes(std::move(data));
  return Adopt(owner->view(), owner);
}

Bytes Bytes::Slice(size_t offset, size_t size) const {
  offset = std::min(offset, size_);
  size = std::min(size, size_ - offset);
  if (owner_ != nullptr) owner_->Ref();
  return Bytes(data_ + offset, size, owner_);
}

}  // namespace tieline::inline v0
