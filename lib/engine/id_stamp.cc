#include "lib/engine/id_stamp.h"

#include "lib/base/entropy.h"

namespace tieline::inline v0 {
namespace {

// Takes as many as there are.
size_t TakeAllOf(std::string_view digits, std::string_view* text) {
  const size_t end = std::min(text->find_first_not_of(digits), text->size());
  text->remove_prefix(end);
  return end;
}

bool Take(char c, std::string_view* text) {
  if (!text->starts_with(c)) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

std::string MakeProcessName() {
  std::string name;
  uint64_t bits = 0;
  for (size_t i = 0; i < kProcessDigits; ++i, bits >>= 5) {
    if (i % 8 == 0) bits = Entropy();
    name += kIdDigits[bits % 32];
  }
  return name;
}

bool IsStamped(std::string_view id) {
  return TakeAllOf(kIdDigits, &id) == kProcessDigits && Take('.', &id) &&
         TakeAllOf("0123456789", &id) > 0 && Take('-', &id) &&
         TakeAllOf(kIdDigits, &id) > 0 && id.empty();
}

}  // namespace tieline::inline v0
