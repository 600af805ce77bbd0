#include "tools/completion.h"

#include <fmt/format.h>

#include <vector>

namespace tieline::tools {
namespace {

// "send --format --key ..." for each command path: what may follow it.
void Collect(const CLI::App& app, const std::string& path,
             std::vector<std::pair<std::string, std::string>>* out) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands({})) {
    words += sub->get_name() + " ";
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words += "--" + name + " ";
    }
  }
  if (!words.empty()) words.pop_back();
  out->emplace_back(path, words);
  for (const CLI::App* sub : app.get_subcommands({})) {
    Collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(),
            out);
  }
}

std::string Cases(const CLI::App& app) {
  std::vector<std::pair<std::string, std::string>> paths;
  Collect(app, "", &paths);
  std::string out;
  for (const auto& [path, words] : paths) {
    out += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, words);
  }
  return out;
}

// Finds the words before the cursor that are commands, and offers what may
// follow them; file names otherwise.
constexpr char kFunction[] = R"(_tieline() {{
  local path="" word words="" i
  local current="${{COMP_WORDS[COMP_CWORD]}}"
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word="${{COMP_WORDS[i]}}"
    case " {0} " in
      *" $word "*) path="${{path:+$path }}$word" ;;
    esac
  done
  case "$path" in
{1}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ ${{#COMPREPLY[@]}} -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _tieline tieline
)";

void Names(const CLI::App& app, std::string* out) {
  for (const CLI::App* sub : app.get_subcommands({})) {
    *out += (out->empty() ? "" : " ") + sub->get_name();
    Names(*sub, out);
  }
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::string names;
  Names(app, &names);
  return fmt::format(kFunction, names, Cases(app));
}

std::string ZshCompletion(const CLI::App& app) {
  return "autoload -U +X bashcompinit && bashcompinit\n" + BashCompletion(app);
}

}  // namespace tieline::tools
