// The main of every Catch2 test program.
//
// With TIELINE_TEST_RESULTS set to a folder, the results go there as Catch2's
// XML, one file a run, for scripts/test to count; the console reporter is used
// otherwise. A reporter named on the command line wins. A test case (or
// section) that asserts nothing fails.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

namespace {

// <folder>/<name of the test>-<process>.xml
std::string ResultsFile(const char* folder, const char* program) {
  const char* name = std::getenv("TIELINE_TEST_NAME");
  if (name == nullptr) {
    const char* slash = std::strrchr(program, '/');
    name = slash == nullptr ? program : slash + 1;
  }
  return std::string(folder) + "/" + name + "-" + std::to_string(getpid()) +
         ".xml";
}

bool NamesReporter(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "-r", 2) == 0 ||
        std::strncmp(argv[i], "--reporter", 10) == 0 ||
        std::strncmp(argv[i], "--list", 6) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<const char*> arguments(argv, argv + argc);
  arguments.insert(arguments.end(), {"-w", "NoAssertions"});
  const char* folder = std::getenv("TIELINE_TEST_RESULTS");
  std::string file;
  if (folder != nullptr && !NamesReporter(argc, argv)) {
    file = ResultsFile(folder, argv[0]);
    arguments.insert(arguments.end(), {"-r", "xml", "-o", file.c_str()});
  }
  return Catch::Session().run(static_cast<int>(arguments.size()),
                              arguments.data());
}
