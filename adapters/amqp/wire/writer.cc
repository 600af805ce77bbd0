#include "adapters/amqp/wire/writer.h"

#include <algorithm>
#include <utility>

namespace tieline::inline v0::amqp::wire {

void Writer::Grow(size_t n) {
  const size_t capacity =
      std::max({size_ + n, capacity_ + capacity_ / 2, size_t{256}});
  std::unique_ptr<char[]> data(new char[capacity]);
  if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

void Writer::EndList(size_t mark, uint32_t count) {
  if (count == 0) {
    data_[mark - kCompoundHead] = static_cast<char>(kCodeList0);
    size_ = mark - kCompoundHead + 1;
    return;
  }
  End(mark, count, kCodeList8, kCodeList32);
}

void Writer::EndMap(size_t mark, uint32_t count) {
  End(mark, count, kCodeMap8, kCodeMap32);
}

void Writer::End(size_t mark, uint32_t count, Code code8, Code code32) {
  char* head = data_.get() + mark - kCompoundHead;
  const size_t size = size_ - mark;
  if (size < 255 && count < 256) {
    char* p = PutByte(head, code8);
    p = PutByte(p, static_cast<uint8_t>(size + 1));
    p = PutByte(p, static_cast<uint8_t>(count));
    std::memmove(p, data_.get() + mark, size);
    SetEnd(p + size);
    return;
  }
  char* p = PutByte(head, code32);
  Store32(p, static_cast<uint32_t>(size + 4));
  Store32(p + 4, count);
}

}  // namespace tieline::inline v0::amqp::wire
