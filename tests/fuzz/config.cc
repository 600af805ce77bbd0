// Any text as a config: refused with places, or read so that what is written
// from it reads as the same.
#include "tieline/config.h"

#include <cstdlib>
#include <string>

namespace tieline {
namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void TryConfig(const std::string& text) {
  const auto config = Config::FromText(text);
  if (!config.ok()) {
    Expect(config.status().code() == absl::StatusCode::kInvalidArgument);
    Expect(!config.status().message().empty());
    return;
  }
  Expect(config->Validate().ok());
  const std::string yaml = config->ToYaml();
  // Secrets are written as "***", which is refused where a secret belongs.
  if (yaml.find("***") != std::string::npos) return;
  const auto again = Config::FromText(yaml);
  Expect(again.ok());
  Expect(again->ToYaml() == yaml);
}

}  // namespace
}  // namespace tieline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tieline::TryConfig(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
