// Cursor and ListReader: read AMQP 1.0 primitives (part 1, section 1.6) from
// untrusted bytes.
//
// No call reads past the end, throws or allocates. The first malformed or
// unexpected value fails the cursor for good: later reads give zero values, so
// check ok() once, at the end. What is read as text or bytes is a view into the
// input. All of a type's encodings are accepted.
// Threads: as any plain value.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_CURSOR_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_CURSOR_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "adapters/amqp/wire/codes.h"
#include "adapters/amqp/wire/shape.h"

namespace tieline::inline v0::amqp::wire {

class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::string_view bytes)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return !failed_; }
  // At the end, or failed.
  bool done() const { return p_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  const char* position() const { return p_; }
  bool Fail() {
    failed_ = true;
    p_ = end_;
    return false;
  }

  // The next constructor; kNoCode at the end.
  static constexpr int kNoCode = -1;
  int Peek() const { return p_ == end_ ? kNoCode : Byte(p_); }
  // Passes over a null, if that is what comes next.
  bool SkipNull() {
    if (Peek() != kCodeNull) return false;
    ++p_;
    return true;
  }

  // Passes over up to `most` nulls; returns how many.
  uint32_t SkipNulls(uint32_t most) {
    const char* const from = p_;
    const char* const to = from + std::min<size_t>(most, left());
    constexpr uint64_t kEightNulls = kCodeNull * 0x0101010101010101u;
    while (to - p_ >= 8) {
      const uint64_t others = Load64(p_) ^ kEightNulls;
      if (others != 0) {
        p_ += std::countl_zero(others) / 8;
        return static_cast<uint32_t>(p_ - from);
      }
      p_ += 8;
    }
    while (p_ != to && Byte(p_) == kCodeNull) ++p_;
    return static_cast<uint32_t>(p_ - from);
  }

  // Passes over a value whose form its constructor and its first bytes tell:
  // of fixed width, or up to 255 bytes of text. False, without having moved,
  // when something else comes, or not all of it is there.
  bool SkipPlain() {
    if (p_ == end_) return false;
    size_t size = kPlainSizes[Byte(p_)];
    if (size == kPlainVariable) {
      if (left() < 2) return false;
      size = 2u + Byte(p_ + 1);
    }
    if (size == 0 || left() < size) return false;
    p_ += size;
    return true;
  }
  // Reads a string or symbol of up to 255 bytes, in the same way.
  bool PlainText(std::string_view* text) {
    constexpr int kSymbolBit = kCodeString8 ^ kCodeSymbol8;
    if (left() < 2 || (Byte(p_) & ~kSymbolBit) != kCodeString8) return false;
    const size_t size = Byte(p_ + 1);
    if (left() - 2 < size) return false;
    *text = {p_ + 2, size};
    p_ += 2 + size;
    return true;
  }

  bool Bool() {
    switch (Take()) {
      case kCodeTrue:
        return true;
      case kCodeFalse:
        return false;
      case kCodeBool: {
        const char* p = Raw(1);
        if (p != nullptr && Byte(p) <= 1) return *p != 0;
        return Fail();
      }
      default:
        return Fail();
    }
  }
  uint8_t UByte() {
    if (Take() != kCodeUByte) return Fail();
    const char* p = Raw(1);
    return p == nullptr ? uint8_t{0} : Byte(p);
  }
  uint16_t UShort() {
    if (Take() != kCodeUShort) return Fail();
    const char* p = Raw(2);
    return p == nullptr ? uint16_t{0} : Load16(p);
  }
  uint32_t UInt() {
    const char* p;
    switch (Take()) {
      case kCodeUInt0:
        return 0;
      case kCodeSmallUInt:
        p = Raw(1);
        return p == nullptr ? 0 : Byte(p);
      case kCodeUInt:
        p = Raw(4);
        return p == nullptr ? 0 : Load32(p);
      default:
        return Fail();
    }
  }
  uint64_t ULong() {
    const char* p;
    switch (Take()) {
      case kCodeULong0:
        return 0;
      case kCodeSmallULong:
        p = Raw(1);
        return p == nullptr ? 0 : Byte(p);
      case kCodeULong:
        p = Raw(8);
        return p == nullptr ? 0 : Load64(p);
      default:
        return Fail();
    }
  }
  // Milliseconds since 1970.
  int64_t Timestamp() {
    if (Take() != kCodeTimestamp) return Fail();
    const char* p = Raw(8);
    return p == nullptr ? 0 : static_cast<int64_t>(Load64(p));
  }
  std::string_view Binary() { return Variable(kCodeBinary8, kCodeBinary32); }
  std::string_view String() { return Variable(kCodeString8, kCodeString32); }
  std::string_view Symbol() { return Variable(kCodeSymbol8, kCodeSymbol32); }

  // A described value's constructor and its descriptor, as a number: the
  // described value itself comes next.
  uint64_t Descriptor() {
    if (Take() != kCodeDescribed) return Fail();
    return ULong();
  }

  // A list's or map's head: the cursor's items, `count` of them (for a map keys
  // and values are counted each), go to `items`, and the cursor moves behind.
  bool List(Cursor* items, uint32_t* count) {
    if (Peek() == kCodeList0) {
      ++p_;
      *items = Cursor(std::string_view(p_, p_));
      *count = 0;
      return true;
    }
    return Compound(kCodeList8, kCodeList32, items, count);
  }
  bool Map(Cursor* items, uint32_t* count) {
    return Compound(kCodeMap8, kCodeMap32, items, count) &&
           (*count % 2 == 0 || Fail());
  }

  // Passes over one value of any type by its outer length, without looking
  // inside (value_codec.h has the full check); returns its encoding.
  std::string_view Skip();

  // `n` bytes, passed over; null (and failed) when there are fewer.
  const char* Raw(size_t n) {
    if (left() < n) {
      Fail();
      return nullptr;
    }
    const char* p = p_;
    p_ += n;
    return p;
  }

 private:
  static uint8_t Byte(const char* p) { return static_cast<uint8_t>(*p); }
  int Take() { return p_ == end_ ? kNoCode : Byte(p_++); }
  std::string_view Variable(int code8, int code32) {
    const int code = Take();
    const char* p;
    size_t size;
    if (code == code8) {
      if ((p = Raw(1)) == nullptr) return {};
      size = Byte(p);
    } else if (code == code32) {
      if ((p = Raw(4)) == nullptr) return {};
      size = Load32(p);
    } else {
      Fail();
      return {};
    }
    p = Raw(size);
    return p == nullptr ? std::string_view() : std::string_view(p, size);
  }
  bool Compound(int code8, int code32, Cursor* items, uint32_t* count) {
    const int code = Take();
    const char* p;
    size_t size;
    size_t width;
    if (code == code8) {
      if ((p = Raw(1)) == nullptr) return false;
      size = Byte(p);
      width = 1;
    } else if (code == code32) {
      if ((p = Raw(4)) == nullptr) return false;
      size = Load32(p);
      width = 4;
    } else {
      return Fail();
    }
    if (size < width || (p = Raw(size)) == nullptr) return Fail();
    *count = width == 1 ? Byte(p) : Load32(p);
    *items = Cursor(std::string_view(p + width, size - width));
    // An item takes a byte at least.
    return *count <= size - width || Fail();
  }

  const char* p_ = nullptr;
  const char* end_ = nullptr;
  bool failed_ = false;
};

// The fields of a composite type's list (part 1, section 1.4), read in order.
// A field that is null, or left out at the end, gives the `absent` value; text
// and bytes then have a null data().
class ListReader {
 public:
  // Reads the list that comes next in `cursor`, which moves behind it, and
  // fails when it isn't one.
  explicit ListReader(Cursor* cursor) {
    if (!cursor->List(&items_, &left_)) Fail();
  }

  // What was read so far was well formed and of the asked types.
  bool ok() const { return items_.ok(); }
  // ... and is all there is.
  bool done() const { return left_ == 0 && items_.ok() && items_.done(); }
  // Fields not read yet.
  uint32_t left() const { return left_; }
  // True when the next field has a value. Otherwise it is passed over.
  bool Has() {
    if (left_ == 0) return false;
    if (items_.Peek() != kCodeNull) return true;
    --left_;
    items_.SkipNull();
    return false;
  }

  bool Bool(bool absent) { return Next() ? items_.Bool() : absent; }
  uint8_t UByte(uint8_t absent) { return Next() ? items_.UByte() : absent; }
  uint16_t UShort(uint16_t absent) { return Next() ? items_.UShort() : absent; }
  uint32_t UInt(uint32_t absent) { return Next() ? items_.UInt() : absent; }
  uint64_t ULong(uint64_t absent) { return Next() ? items_.ULong() : absent; }
  int64_t Timestamp(int64_t absent) {
    return Next() ? items_.Timestamp() : absent;
  }
  std::string_view Binary() {
    return Next() ? items_.Binary() : std::string_view();
  }
  std::string_view String() {
    return Next() ? items_.String() : std::string_view();
  }
  std::string_view Symbol() {
    return Next() ? items_.Symbol() : std::string_view();
  }
  // True when all that is left are nulls and falses, a byte each: they are
  // passed over.
  bool SkipDefaults() {
    if (items_.left() != left_) return false;
    const char* const from = items_.position();
    const auto is_default = [](char c) {
      return c == char{kCodeNull} || c == char{kCodeFalse};
    };
    if (!std::all_of(from, from + left_, is_default)) return false;
    items_.Raw(std::exchange(left_, 0));
    return true;
  }
  // The encoding of the next field, whatever its type; empty when absent.
  std::string_view Skip() {
    return Next() ? items_.Skip() : std::string_view();
  }
  // For a field with a value (after Has()) that the above don't read: the
  // cursor stands at it and must be moved behind it.
  Cursor* Take() {
    --left_;
    return &items_;
  }

 private:
  bool Next() {
    if (!Has()) return false;
    --left_;
    return true;
  }
  void Fail() {
    items_.Fail();
    left_ = 0;
  }

  Cursor items_;
  uint32_t left_ = 0;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_CURSOR_H_
