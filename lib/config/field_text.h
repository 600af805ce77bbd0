// Text of one field to its value and back, the same for YAML and for URL
// parameters. Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_FIELD_TEXT_H_
#define TIELINE_LIB_CONFIG_FIELD_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/config/schema.h"

namespace tieline::inline v0 {
namespace config {

// For every kind that is one piece of text (so not secrets, maps and objects).
// kInvalidArgument says what was found and expected. Paths are taken from
// `directory`.
absl::StatusOr<FieldValue> ParseFieldText(const Field& field,
                                          std::string_view text,
                                          const std::string& directory);

// A secret from an environment variable or a file; kInvalidArgument says why
// there is none. One newline at a file's end is left out. Files up to 64 KiB.
absl::StatusOr<Secret> SecretFromEnv(const std::string& variable);
absl::StatusOr<Secret> SecretFromFile(const std::string& path);

// The text that ParseFieldText reads as this value again.
std::string FieldText(const Field& field, const FieldValue& value);

std::string DurationText(absl::Duration duration);

// A path as one taken from `directory`.
std::string ResolvePath(std::string_view path, const std::string& directory);

// The whole of a file, up to `limit` bytes. kNotFound when there is none;
// kInvalidArgument when it is larger or cannot be read, with the reason.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_FIELD_TEXT_H_
