#include "adapters/amqp/wire/output.h"

#include <utility>

namespace tieline::inline v0::amqp::wire {

void Output::AddPart() {
  if (!parts_.empty()) {
    Part& last = parts_.back();
    last.sealed = true;
    sealed_bytes_ += last.text.size() + last.slice.size();
  }
  parts_.emplace_back();
  if (!spare_.empty()) {
    parts_.back().text = std::move(spare_.back());
    spare_.pop_back();
  }
  parts_.back().text.Room(kPartSize + kPartSize / 16);
}

void Output::Append(const Bytes& slice) {
  if (slice.empty()) return;
  tail();
  parts_.back().slice = slice;
  parts_.back().sealed = true;
}

size_t Output::size() const {
  if (parts_.empty()) return 0;
  const Part& last = parts_.back();
  return sealed_bytes_ + last.text.size() + last.slice.size() - skip_;
}

size_t Output::Gather(iovec* pieces, size_t max) const {
  size_t n = 0;
  size_t skip = skip_;
  auto add = [&](const char* data, size_t size) {
    if (skip >= size) {
      skip -= size;
    } else if (n < max) {
      pieces[n].iov_base = const_cast<char*>(data) + skip;
      pieces[n].iov_len = size - skip;
      skip = 0;
      ++n;
    }
  };
  for (const Part& part : parts_) {
    if (n == max) break;
    add(part.text.data(), part.text.size());
    add(part.slice.data(), part.slice.size());
  }
  return n;
}

void Output::Written(size_t n) {
  written_ += n;
  skip_ += n;
  while (!parts_.empty()) {
    Part& first = parts_.front();
    size_t size = first.text.size() + first.slice.size();
    if (skip_ < size) return;
    skip_ -= size;
    if (spare_.size() < kMaxSpare && first.text.capacity() <= 4 * kPartSize) {
      first.text.Clear();
      spare_.push_back(std::move(first.text));
    }
    if (parts_.size() > 1) sealed_bytes_ -= size;
    parts_.pop_front();
  }
}

}  // namespace tieline::inline v0::amqp::wire
