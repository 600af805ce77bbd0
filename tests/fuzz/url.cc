// Any text as a URL: refused in one line, or read so that what is written from
// it reads as the same; no password is ever shown.
#include "tieline/url.h"

#include <cstdlib>
#include <string>

#include "tieline/config.h"

namespace tieline {
namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

bool IsOneLine(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument &&
         !status.message().empty() &&
         status.message().find('\n') == absl::string_view::npos;
}

void TryUrl(const std::string& text) {
  const auto url = Url::Parse(text);
  if (!url.ok()) {
    Expect(IsOneLine(url.status()));
    return;
  }
  Expect(!url->scheme.empty());
  url->HostList(5672);
  const std::string shown = url->ToString();
  const auto again = Url::Parse(shown);
  Expect(again.ok());
  Expect(again->ToString() == shown);
  Expect(again->scheme == url->scheme && again->user == url->user);
  Expect(again->hosts == url->hosts && again->path == url->path);
  Expect(again->params == url->params);
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  tieline::TryUrl(text);
  tieline::Config config;
  static_cast<void>(config.AddUrl(text).ok());
  return 0;
}
