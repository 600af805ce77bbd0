#include "tools/input.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib/base/status.h"
#include "tests/support/catch.h"

namespace tieline::tools {
namespace {

// A file of its own, removed at the end.
class TempFile {
 public:
  explicit TempFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("tieline-input-" + std::to_string(getpid()) + "-" +
               std::to_string(counter_++))) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TempFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  static inline int counter_ = 0;
  std::filesystem::path path_;
};

std::vector<std::string> Bodies(Input* input) {
  std::vector<std::string> bodies;
  while (true) {
    auto message = input->Next();
    INFO(message.status().ToString());
    REQUIRE(message.ok());
    if (!message->has_value()) return bodies;
    bodies.emplace_back((*message)->body_view());
  }
}

TEST_CASE("lines are bodies, also without a last line break") {
  const TempFile a("one\n\nthree");
  const TempFile b(std::string("four\0five\n", 10));
  Input input({a.path(), b.path()}, InputFormat::kAuto, 1000);
  CHECK(Bodies(&input) ==
        std::vector<std::string>{"one", "", "three",
                                 std::string("four\0five", 9)});
}

TEST_CASE("message lines are found by the first line") {
  const TempFile file("{\"body\":\"a\"}\n{\"body\":\"b\"}\n");
  Input input({file.path()}, InputFormat::kAuto, 1000);
  CHECK(Bodies(&input) == std::vector<std::string>{"a", "b"});
  Input lines({file.path()}, InputFormat::kLines, 1000);
  CHECK(Bodies(&lines).front() == "{\"body\":\"a\"}");
}

TEST_CASE("a file is one body in the raw format") {
  const TempFile a("one\ntwo\n"), empty("");
  Input input({a.path(), empty.path()}, InputFormat::kRaw, 1000);
  CHECK(Bodies(&input) == std::vector<std::string>{"one\ntwo\n", ""});
}

TEST_CASE("faults name file and line") {
  const TempFile file("{\"body\":\"a\"}\nnot json\n");
  Input input({file.path()}, InputFormat::kNdjson, 1000);
  REQUIRE(input.Next().ok());
  const auto fault = input.Next().status();
  CHECK(fault.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(fault).find(file.path() + ":2: ") == 0);
  CHECK(input.Where() == file.path() + ":2");

  const TempFile longer(std::string(20, 'x') + "\n");
  Input bounded({longer.path()}, InputFormat::kLines, 10);
  CHECK(bounded.Next().status().code() == absl::StatusCode::kInvalidArgument);
  Input whole({longer.path()}, InputFormat::kRaw, 10);
  CHECK(whole.Next().status().code() == absl::StatusCode::kInvalidArgument);

  Input missing({file.path() + "-missing"}, InputFormat::kLines, 10);
  CHECK(missing.Next().status().code() == absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tieline::tools
