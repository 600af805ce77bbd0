// Any bytes as record headers: read without harm, within bounds; what was read
// is written and read again as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/kafka/header_mapping.h"

namespace tieline {
namespace {

using kafka::Header;

void Expect(bool condition) {
  if (!condition) std::abort();
}

// A list of headers from the bytes: one byte of name length (cut to what is
// left), one of value length (255: null), then both.
std::vector<Header> Split(std::string_view rest) {
  std::vector<Header> headers;
  const auto take = [&](size_t n) {
    const std::string_view part = rest.substr(0, n);
    rest.remove_prefix(part.size());
    return part;
  };
  while (rest.size() >= 2) {
    const auto name = static_cast<uint8_t>(rest[0]);
    const auto value = static_cast<uint8_t>(rest[1]);
    rest.remove_prefix(2);
    Header header;
    // As the client library gives names: without NUL.
    header.name = take(name);
    header.name = header.name.substr(0, header.name.find('\0'));
    header.null = value == 255;
    if (!header.null) header.value = take(value);
    headers.push_back(header);
  }
  return headers;
}

void Try(std::string_view bytes) {
  const std::vector<Header> headers = Split(bytes);
  MessageFields fields;
  kafka::DecodeHeaders(headers, &fields);
  Expect(fields.properties.size() + fields.annotations.size() +
             fields.footer.size() <=
         kafka::kMaxHeaders);
  const BodyKind kind = kafka::BodyKindOf(headers);
  kafka::DecodeBody(headers, bytes);

  kafka::HeaderList list;
  list.Encode(fields, BodyKind::kData);
  std::vector<Header> again;
  for (size_t i = 0; i < list.size(); ++i) again.push_back(list.at(i));
  // What the bound on headers would cut can't come back whole.
  if (again.size() > kafka::kMaxHeaders) return;
  const bool bounded = std::all_of(
      again.begin(), again.end(),
      [](const Header& h) { return h.name.size() <= kafka::kMaxHeaderName; });
  if (!bounded) return;
  MessageFields back;
  kafka::DecodeHeaders(again, &back);
  Expect(back.present == fields.present);
  Expect(back.id == fields.id && back.subject == fields.subject);
  Expect(back.properties == fields.properties);
  Expect(back.annotations == fields.annotations);
  Expect(back.footer == fields.footer);
  Expect(kind != BodyKind::kNull);
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  tieline::Try(bytes);
  return 0;
}
