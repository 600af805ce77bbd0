// What the command's exit codes mean: the one table, shown by
// `tieline --help` and in docs/guide/operating.md.
#ifndef TIELINE_TOOLS_EXIT_CODE_H_
#define TIELINE_TOOLS_EXIT_CODE_H_

#include <array>
#include <string_view>

namespace tieline::tools {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kConfig = 3,
  kUnreachable = 4,
  kUnauthenticated = 5,
  kNotFound = 6,
  kRejected = 7,
  kTimedOut = 8,
  kInputOutput = 9,
  kInterrupted = 130,
};

struct ExitCodeText {
  ExitCode code;
  std::string_view meaning;
};

inline constexpr std::array<ExitCodeText, 11> kExitCodes = {{
    {ExitCode::kOk, "done"},
    {ExitCode::kFailed, "failed, or this backend can't do that"},
    {ExitCode::kUsage, "the command line is wrong"},
    {ExitCode::kConfig, "the configuration or a URL is wrong"},
    {ExitCode::kUnreachable, "the broker can't be reached"},
    {ExitCode::kUnauthenticated,
     "the credentials or a certificate are refused"},
    {ExitCode::kNotFound, "the entity isn't there, or isn't permitted"},
    {ExitCode::kRejected, "a message was refused: malformed or too large"},
    {ExitCode::kTimedOut, "the time was over; what was sent may be in doubt"},
    {ExitCode::kInputOutput, "reading input or writing output failed"},
    {ExitCode::kInterrupted, "interrupted before the work was done"},
}};

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_EXIT_CODE_H_
