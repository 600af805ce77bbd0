#include "adapters/amqp/wire/input.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "adapters/amqp/wire/codes.h"
#include "adapters/amqp/wire/performatives.h"

namespace tieline::inline v0::amqp::wire {
namespace {

constexpr size_t kBlockSize = 64 << 10;
constexpr size_t kLeastRoom = 16 << 10;

}  // namespace

class Input::Block : public BytesOwner {
 public:
  explicit Block(size_t size) : size_(size), data_(new char[size]) {}
  char* data() { return data_.get(); }
  size_t size() const { return size_; }

 private:
  const size_t size_;
  const std::unique_ptr<char[]> data_;
};

Input::~Input() {
  if (block_ != nullptr) block_->Unref();
}

std::span<char> Input::Room() {
  if (block_ == nullptr || block_->size() - end_ < kLeastRoom) Renew();
  return {block_->data() + end_, block_->size() - end_};
}

void Input::Renew() {
  size_t have = end_ - begin_;
  size_t want = kBlockSize;
  if (have >= 4) {
    // A frame that has begun should end in the same block.
    size_t frame = Load32(block_->data() + begin_);
    want = std::max(want, std::min<size_t>(frame, max_frame_));
  }
  want = std::max(want, have) + kLeastRoom;
  if (block_ != nullptr && block_->unique() && block_->size() >= want) {
    std::memmove(block_->data(), block_->data() + begin_, have);
  } else {
    Block* next = new Block(want);
    if (have > 0) std::memcpy(next->data(), block_->data() + begin_, have);
    if (block_ != nullptr) block_->Unref();
    block_ = next;
  }
  begin_ = 0;
  end_ = have;
}

Input::Result Input::Next(std::string_view* bytes) {
  size_t have = end_ - begin_;
  if (have < kFrameHeaderSize) return Result::kIncomplete;
  const char* p = block_->data() + begin_;
  if (std::memcmp(p, "AMQP", 4) == 0) {
    *bytes = {p, kFrameHeaderSize};
    begin_ += kFrameHeaderSize;
    return Result::kHeader;
  }
  uint32_t size = Load32(p);
  size_t offset = size_t{4} * static_cast<uint8_t>(p[4]);
  if (size > max_frame_ || offset < kFrameHeaderSize || size < offset) {
    return Result::kMalformed;
  }
  if (have < size) return Result::kIncomplete;
  *bytes = {p, size};
  begin_ += size;
  return Result::kFrame;
}

Bytes Input::Slice(std::string_view part) const {
  block_->Ref();
  return Bytes::Adopt(part, block_);
}

}  // namespace tieline::inline v0::amqp::wire
