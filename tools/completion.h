// Shell completion, written from the description of the command line itself.
#ifndef TIELINE_TOOLS_COMPLETION_H_
#define TIELINE_TOOLS_COMPLETION_H_

#include <CLI/CLI.hpp>
#include <string>

namespace tieline::tools {

// A script for `source <(tieline completion bash)`, or a zsh function for
// `source <(tieline completion zsh)`.
std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);

}  // namespace tieline::tools

#endif  // TIELINE_TOOLS_COMPLETION_H_
