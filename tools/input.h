// Reads the input of `tieline send`: lines, message lines (NDJSON) or whole
// files, one message at a time, bounded.
#ifndef TIELINE_TOOLS_INPUT_H_
#define TIELINE_TOOLS_INPUT_H_

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tieline/message.h"

namespace tieline::tools {

enum class InputFormat : uint8_t {
  kAuto,   // ndjson when the first line is such a message, else lines
  kLines,  // one body a line
  kNdjson,
  kRaw,  // one body a file
};

class Input {
 public:
  // Reads `files` one after the other, "-" being standard input; none: "-".
  Input(std::vector<std::string> files, InputFormat format,
        size_t max_message_bytes);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input();

  // The next message; nullopt at the end. kInvalidArgument names file and
  // line; kUnavailable says that reading failed.
  absl::StatusOr<std::optional<Message>> Next();
  // "FILE:LINE" of the last message.
  std::string Where() const;

 private:
  absl::StatusOr<bool> OpenNext();
  absl::StatusOr<std::optional<std::string>> ReadLine();
  absl::StatusOr<std::string> ReadRest();
  absl::Status ReadFault() const;

  std::vector<std::string> files_;
  InputFormat format_;
  size_t max_bytes_;
  size_t next_file_ = 0;
  FILE* file_ = nullptr;
  std::string name_;
  uint64_t line_ = 0;
};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_INPUT_H_
