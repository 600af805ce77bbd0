// What the parser says about wrong configs and URLs: the expected errors stand
// in the files themselves.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "tests/support/catch.h"
#include "tieline/config.h"

namespace tieline {
namespace {

const std::string kData = TIELINE_TEST_DATA;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The lines "#! ..." at a file's end.
std::string Expected(const std::string& text) {
  std::string expected;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("#! ", 0) != 0) continue;
    if (!expected.empty()) expected += '\n';
    expected += line.substr(3);
  }
  return expected;
}

TEST_CASE("every wrong config is refused with place and remedy") {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(kData + "/bad")) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  REQUIRE(paths.size() >= 40);
  for (const std::string& path : paths) {
    INFO(path);
    const std::string text = ReadAll(path);
    const auto config = Config::FromText(text, "x.yaml", kData + "/bad");
    REQUIRE_FALSE(config.ok());
    CHECK(config.status().code() == absl::StatusCode::kInvalidArgument);
    std::string message(MessageOf(config.status()));
    for (size_t at; (at = message.find(kData)) != std::string::npos;) {
      message.replace(at, kData.size(), "DIR");
    }
    CHECK(message == Expected(text));
    CHECK(message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("every wrong URL is refused with place and remedy") {
  std::ifstream in(kData + "/bad_urls.txt");
  size_t seen = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    INFO(line);
    const size_t tab = line.find('\t');
    REQUIRE(tab != std::string::npos);
    Config config;
    const auto queue = config.AddUrl(line.substr(0, tab));
    REQUIRE_FALSE(queue.ok());
    CHECK(queue.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(MessageOf(queue.status())) == line.substr(tab + 1));
    CHECK(config.brokers.empty());
    CHECK(config.queues.empty());
    ++seen;
  }
  CHECK(seen >= 40);
}

}  // namespace
}  // namespace tieline
