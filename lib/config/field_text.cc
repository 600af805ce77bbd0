#include "lib/config/field_text.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>

#include "absl/status/status.h"
#include "lib/config/fault.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr size_t kMaxSecretBytes = 64 << 10;

absl::Status Expected(std::string_view found, const Field& field) {
  return absl::InvalidArgumentError(
      fmt::format("expected {}, found \"{}\"", KindText(field), found));
}

absl::StatusOr<FieldValue> ParseNumber(const Field& field,
                                       std::string_view text) {
  int64_t scale = 1;
  std::string_view digits = text;
  if (field.kind == Kind::kSize) {
    for (auto [suffix, bytes] :
         {std::pair<std::string_view, int64_t>{"KiB", 1 << 10},
          {"MiB", 1 << 20},
          {"GiB", 1 << 30}}) {
      if (digits.ends_with(suffix)) {
        digits.remove_suffix(suffix.size());
        scale = bytes;
        break;
      }
    }
    while (digits.ends_with(' ')) digits.remove_suffix(1);
  }
  int64_t number = 0;
  const char* end = digits.data() + digits.size();
  auto [at, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc() || at != end || digits.empty()) {
    return Expected(text, field);
  }
  if (number < 0 || number > field.max / scale || number * scale < field.min) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is out of range; expected {} to {}", text, field.min, field.max));
  }
  return number * scale;
}

absl::StatusOr<FieldValue> ParseDuration(const Field& field,
                                         std::string_view text) {
  absl::Duration duration;
  if (text.empty() || text == "0" ||
      !absl::ParseDuration(absl::string_view(text.data(), text.size()),
                           &duration)) {
    return Expected(text, field);
  }
  if (duration <= absl::ZeroDuration() || duration > absl::Hours(24 * 366)) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is out of range; expected more than 0 and up to a year", text));
  }
  return duration;
}

absl::Status CheckReadable(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"),
                                             &std::fclose);
  char byte;
  if (file == nullptr ||
      (std::fread(&byte, 1, 1, file.get()) == 0 && std::ferror(file.get()))) {
    return absl::InvalidArgumentError(
        fmt::format("file {} cannot be read: {}; check the path and its "
                    "permissions",
                    path, std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FieldValue> ParseFieldText(const Field& field,
                                          std::string_view text,
                                          const std::string& directory) {
  switch (field.kind) {
    case Kind::kText:
      if (text.empty()) {
        return absl::InvalidArgumentError("is empty; leave it out instead");
      }
      return std::string(text);
    case Kind::kFile:
    case Kind::kInputFile: {
      if (text.empty()) {
        return absl::InvalidArgumentError("is empty; leave it out instead");
      }
      std::string path = ResolvePath(text, directory);
      if (field.kind == Kind::kInputFile) {
        absl::Status status = CheckReadable(path);
        if (!status.ok()) return status;
      }
      return path;
    }
    case Kind::kBool:
      if (text == "true") return true;
      if (text == "false") return false;
      return Expected(text, field);
    case Kind::kInteger:
    case Kind::kSize:
      return ParseNumber(field, text);
    case Kind::kDuration:
      return ParseDuration(field, text);
    case Kind::kChoice:
      for (size_t i = 0; i < field.choices.size(); ++i) {
        if (field.choices[i] == text) return static_cast<int64_t>(i);
      }
      return absl::InvalidArgumentError(fmt::format(
          "unknown choice \"{}\"{}", text,
          Suggestion(text, {field.choices.begin(), field.choices.end()})));
    case Kind::kUrl: {
      auto url = Url::Parse(text);
      if (!url.ok()) return url.status();
      return *std::move(url);
    }
    default:
      return absl::InternalError("not a field of one text");
  }
}

absl::StatusOr<Secret> SecretFromEnv(const std::string& variable) {
  const char* text = std::getenv(variable.c_str());
  if (text == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("environment variable {} is not set; export it", variable));
  }
  if (*text == '\0') {
    return absl::InvalidArgumentError(
        fmt::format("environment variable {} is empty", variable));
  }
  return Secret(text);
}

absl::StatusOr<Secret> SecretFromFile(const std::string& path) {
  auto text = ReadFile(path, kMaxSecretBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::string_view(text.status().message()));
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty()) {
    return absl::InvalidArgumentError(fmt::format("file {} is empty", path));
  }
  return Secret(*std::move(text));
}

std::string FieldText(const Field& field, const FieldValue& value) {
  switch (field.kind) {
    case Kind::kBool:
      return std::get<bool>(value) ? "true" : "false";
    case Kind::kInteger:
      return fmt::format("{}", std::get<int64_t>(value));
    case Kind::kSize: {
      const int64_t bytes = std::get<int64_t>(value);
      if (bytes > 0 && bytes % (1 << 20) == 0) {
        return fmt::format("{}MiB", bytes >> 20);
      }
      return fmt::format("{}", bytes);
    }
    case Kind::kDuration:
      return DurationText(std::get<absl::Duration>(value));
    case Kind::kChoice: {
      const auto place = static_cast<size_t>(std::get<int64_t>(value));
      return place < field.choices.size() ? std::string(field.choices[place])
                                          : fmt::format("{}", place);
    }
    case Kind::kSecret:
      return std::get<Secret>(value).empty() ? "" : "***";
    case Kind::kUrl:
      return std::get<Url>(value).ToString();
    default:
      return std::get<std::string>(value);
  }
}

std::string DurationText(absl::Duration duration) {
  return absl::FormatDuration(duration);
}

std::string ResolvePath(std::string_view path, const std::string& directory) {
  if (path.starts_with('/') || directory.empty() || directory == ".") {
    return std::string(path);
  }
  return fmt::format("{}/{}", directory, path);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"),
                                             &std::fclose);
  if (file == nullptr) {
    const std::string text =
        fmt::format("file {} cannot be read: {}", path, std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(text)
                           : absl::InvalidArgumentError(text);
  }
  std::string text(limit + 1, '\0');
  errno = 0;
  const size_t size = std::fread(text.data(), 1, text.size(), file.get());
  if (std::ferror(file.get()) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("file {} cannot be read: {}", path, std::strerror(errno)));
  }
  if (size > limit) {
    return absl::InvalidArgumentError(
        fmt::format("file {} is larger than {} bytes", path, limit));
  }
  text.resize(size);
  return text;
}

}  // namespace config
}  // namespace tieline::inline v0
