#include "tools/input.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib/base/status.h"
#include "tools/ndjson.h"

namespace tieline::tools {

Input::Input(std::vector<std::string> files, InputFormat format,
             size_t max_message_bytes)
    : files_(std::move(files)), format_(format), max_bytes_(max_message_bytes) {
  if (files_.empty()) files_.emplace_back("-");
}

Input::~Input() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
}

absl::StatusOr<bool> Input::OpenNext() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
  file_ = nullptr;
  if (next_file_ == files_.size()) return false;
  const std::string& path = files_[next_file_++];
  line_ = 0;
  if (path == "-") {
    name_ = "standard input";
    file_ = stdin;
    return true;
  }
  name_ = path;
  file_ = std::fopen(path.c_str(), "rb");
  if (file_ == nullptr) return ReadFault();
  return true;
}

absl::Status Input::ReadFault() const {
  return MakeStatus(absl::StatusCode::kUnavailable, "{}: {}", name_,
                    std::strerror(errno));
}

absl::StatusOr<std::optional<std::string>> Input::ReadLine() {
  std::string line;
  for (int c = getc_unlocked(file_); c != EOF; c = getc_unlocked(file_)) {
    if (c == '\n') {
      ++line_;
      return line;
    }
    line += static_cast<char>(c);
    if (line.size() > max_bytes_) {
      ++line_;
      return InvalidArgument(
          "{}: longer than {} bytes; use --format raw, or raise --max-bytes",
          Where(), max_bytes_);
    }
  }
  if (std::ferror(file_) != 0) return ReadFault();
  if (line.empty()) return std::nullopt;
  ++line_;
  return line;
}

absl::StatusOr<std::string> Input::ReadRest() {
  std::string text;
  char buffer[65536];
  while (true) {
    const size_t size = std::fread(buffer, 1, sizeof buffer, file_);
    if (size == 0) break;
    text.append(buffer, size);
    if (text.size() > max_bytes_) {
      return InvalidArgument("{}: larger than {} bytes; raise --max-bytes",
                             name_, max_bytes_);
    }
  }
  if (std::ferror(file_) != 0) return ReadFault();
  return text;
}

absl::StatusOr<std::optional<Message>> Input::Next() {
  while (true) {
    if (file_ == nullptr) {
      TIELINE_ASSIGN_OR_RETURN(const bool opened, OpenNext());
      if (!opened) return std::nullopt;
      if (format_ == InputFormat::kRaw) {
        TIELINE_ASSIGN_OR_RETURN(std::string text, ReadRest());
        if (file_ != stdin) std::fclose(file_);
        file_ = nullptr;
        return Message(Bytes::Take(std::move(text)));
      }
    }
    TIELINE_ASSIGN_OR_RETURN(std::optional<std::string> line, ReadLine());
    if (!line.has_value()) {
      if (file_ != stdin) std::fclose(file_);
      file_ = nullptr;
      continue;
    }
    if (format_ == InputFormat::kAuto) {
      format_ =
          LooksLikeMessage(*line) ? InputFormat::kNdjson : InputFormat::kLines;
    }
    if (format_ == InputFormat::kLines) return Message(*line);
    auto message = FromJsonLine(*line);
    if (!message.ok()) return Annotate(message.status(), Where());
    return *std::move(message);
  }
}

std::string Input::Where() const {
  return line_ == 0 ? name_ : fmt::format("{}:{}", name_, line_);
}

}  // namespace tieline::tools
