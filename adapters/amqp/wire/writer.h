// Writer: a growable buffer that AMQP 1.0 encodings are appended to, and the
// Put functions, which write one primitive (part 1, section 1.6) in its
// smallest encoding at a place with room for it.
//
// Threads: as a std::string.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_WRITER_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "adapters/amqp/wire/codes.h"
#include "tieline/value.h"

namespace tieline::inline v0::amqp::wire {

// Room that one Put of a fixed-width type needs at most, and of one of
// variable width beside the bytes themselves.
inline constexpr size_t kMaxFixed = 17;
inline constexpr size_t kMaxVariableHead = 5;

inline char* PutByte(char* p, uint8_t v) {
  *p = static_cast<char>(v);
  return p + 1;
}
inline char* PutNull(char* p) { return PutByte(p, kCodeNull); }
inline char* PutBool(char* p, bool v) {
  return PutByte(p, v ? kCodeTrue : kCodeFalse);
}
inline char* PutUByte(char* p, uint8_t v) {
  return PutByte(PutByte(p, kCodeUByte), v);
}
inline char* PutUShort(char* p, uint16_t v) {
  p = PutByte(p, kCodeUShort);
  Store16(p, v);
  return p + 2;
}
inline char* PutUInt(char* p, uint32_t v) {
  if (v == 0) return PutByte(p, kCodeUInt0);
  if (v < 256) {
    return PutByte(PutByte(p, kCodeSmallUInt), static_cast<uint8_t>(v));
  }
  p = PutByte(p, kCodeUInt);
  Store32(p, v);
  return p + 4;
}
inline char* PutULong(char* p, uint64_t v) {
  if (v == 0) return PutByte(p, kCodeULong0);
  if (v < 256) {
    return PutByte(PutByte(p, kCodeSmallULong), static_cast<uint8_t>(v));
  }
  p = PutByte(p, kCodeULong);
  Store64(p, v);
  return p + 8;
}
inline char* PutInt(char* p, int32_t v) {
  if (v >= -128 && v < 128) {
    return PutByte(PutByte(p, kCodeSmallInt), static_cast<uint8_t>(v));
  }
  p = PutByte(p, kCodeInt);
  Store32(p, static_cast<uint32_t>(v));
  return p + 4;
}
inline char* PutLong(char* p, int64_t v) {
  if (v >= -128 && v < 128) {
    return PutByte(PutByte(p, kCodeSmallLong), static_cast<uint8_t>(v));
  }
  p = PutByte(p, kCodeLong);
  Store64(p, static_cast<uint64_t>(v));
  return p + 8;
}
inline char* PutTimestamp(char* p, int64_t milliseconds) {
  p = PutByte(p, kCodeTimestamp);
  Store64(p, static_cast<uint64_t>(milliseconds));
  return p + 8;
}
inline char* PutUuid(char* p, const Uuid& v) {
  p = PutByte(p, kCodeUuid);
  std::memcpy(p, v.data(), v.size());
  return p + v.size();
}

// The head alone: `size` bytes are to follow.
inline char* PutVariableHead(char* p, Code code8, Code code32, size_t size) {
  if (size < 256) {
    return PutByte(PutByte(p, code8), static_cast<uint8_t>(size));
  }
  p = PutByte(p, code32);
  Store32(p, static_cast<uint32_t>(size));
  return p + 4;
}
// Copies, short ones without a call: from both ends, which may overlap.
inline char* PutText(char* p, std::string_view v) {
  const size_t n = v.size();
  if (n > 16) {
    std::memcpy(p, v.data(), n);
  } else if (n >= 8) {
    uint64_t first, last;
    std::memcpy(&first, v.data(), 8);
    std::memcpy(&last, v.data() + n - 8, 8);
    std::memcpy(p, &first, 8);
    std::memcpy(p + n - 8, &last, 8);
  } else if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, v.data(), 4);
    std::memcpy(&last, v.data() + n - 4, 4);
    std::memcpy(p, &first, 4);
    std::memcpy(p + n - 4, &last, 4);
  } else if (n > 0) {
    p[0] = v[0];
    p[n / 2] = v[n / 2];
    p[n - 1] = v[n - 1];
  }
  return p + n;
}
inline char* PutVariable(char* p, Code code8, Code code32, std::string_view v) {
  return PutText(PutVariableHead(p, code8, code32, v.size()), v);
}
inline char* PutBinary(char* p, std::string_view v) {
  return PutVariable(p, kCodeBinary8, kCodeBinary32, v);
}
inline char* PutString(char* p, std::string_view v) {
  return PutVariable(p, kCodeString8, kCodeString32, v);
}
inline char* PutSymbol(char* p, std::string_view v) {
  return PutVariable(p, kCodeSymbol8, kCodeSymbol32, v);
}
// A descriptor below 256: the described value is to follow.
inline constexpr size_t kDescriptorSize = 3;
inline char* PutDescriptor(char* p, uint8_t code) {
  return PutByte(PutByte(PutByte(p, kCodeDescribed), kCodeSmallULong), code);
}

class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  Writer(Writer&&) = default;
  Writer& operator=(Writer&&) = default;

  // Where to write next, with room for `n` bytes. Valid until the next call
  // of Room or Append. SetEnd then says how far it was written.
  char* Room(size_t n) {
    if (capacity_ - size_ < n) Grow(n);
    return data_.get() + size_;
  }
  void SetEnd(const char* end) {
    size_ = static_cast<size_t>(end - data_.get());
  }
  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  // One list, map or section around what is appended between Begin and End,
  // in its smallest form: End moves the content up to 9 bytes down when it is
  // small.
  size_t Begin() {
    Room(kCompoundHead);
    size_ += kCompoundHead;
    return size_;
  }
  // `count` items; a map's keys and values are counted each.
  void EndList(size_t mark, uint32_t count);
  void EndMap(size_t mark, uint32_t count);
  // Drops all that was appended since the size was `size`.
  void Truncate(size_t size) { size_ = size; }
  void Clear() { size_ = 0; }  // keeps the memory

  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  static constexpr size_t kCompoundHead = 9;
  void Grow(size_t n);
  void End(size_t mark, uint32_t count, Code code8, Code code32);

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_WRITER_H_
