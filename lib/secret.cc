#include "tieline/secret.h"

namespace tieline::inline v0 {

Secret::~Secret() {
  // The whole capacity: a string that was moved from may still hold its text
  // there. Through a volatile pointer, so that the writes are not left out.
  text_.resize(text_.capacity());
  volatile char* bytes = text_.data();
  for (size_t i = 0; i < text_.size(); ++i) bytes[i] = '\0';
}

}  // namespace tieline::inline v0
