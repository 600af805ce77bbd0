// IdStamp: the text of message ids in a row, "producer-number", with the number
// in base 32 without leading zeros. A producer is a process and one of its
// senders, "PROCESS.NUMBER".
#ifndef TIELINE_LIB_ENGINE_ID_STAMP_H_
#define TIELINE_LIB_ENGINE_ID_STAMP_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tieline::inline v0 {

inline constexpr std::string_view kIdDigits =
    "0123456789abcdefghjkmnpqrstvwxyz";
// Of a process's name: 80 random bits, so that it is unique across processes
// and restarts.
inline constexpr size_t kProcessDigits = 16;

std::string MakeProcessName();
// Whether an id looks like a stamp.
bool IsStamped(std::string_view id);

class IdStamp {
 public:
  // Of a producer's name, the first 40 bytes.
  IdStamp(std::string_view producer, uint64_t number) : number_(number) {
    digits_ = std::min(producer.size(), size_t{40});
    std::copy_n(producer.data(), digits_, text_.data());
    text_[digits_++] = '-';
    Write();
  }
  std::string_view text() const { return {text_.data(), size_}; }
  void CountUp() {
    ++number_;
    if ((number_ & 31) == 0) {
      Write();
    } else {
      text_[size_ - 1] = kIdDigits[number_ & 31];
    }
  }

 private:
  void Write() {
    size_ = digits_ + 1;
    for (uint64_t rest = number_ >> 5; rest != 0; rest >>= 5) ++size_;
    uint64_t rest = number_;
    for (size_t i = size_; i > digits_; --i, rest >>= 5) {
      text_[i - 1] = kIdDigits[rest & 31];
    }
  }

  uint64_t number_;
  size_t digits_ = 0;  // where they begin
  size_t size_ = 0;
  std::array<char, 64> text_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_ID_STAMP_H_
