// Any bytes as a stored message: refused, or a message that is stored and read
// again as the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/store/message_codec.h"

namespace tieline {
namespace {

void Run(std::string_view bytes) {
  const absl::StatusOr<Message> message = DecodeStored(bytes);
  if (!message.ok()) return;
  std::string first;
  EncodeStored(*message, &first);
  const absl::StatusOr<Message> again = DecodeStored(first);
  if (!again.ok()) std::abort();
  std::string second;
  EncodeStored(*again, &second);
  if (first != second) std::abort();
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tieline::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
