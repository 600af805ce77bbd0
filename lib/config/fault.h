// Faults: everything that is wrong with a config, gathered so that all of it is
// said at once. Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_FAULT_H_
#define TIELINE_LIB_CONFIG_FAULT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace tieline::inline v0 {
namespace config {

// A place in the text, from 1; line 0: no place.
struct Position {
  int line = 0;
  int column = 0;
};

struct Fault {
  std::string path;  // "queues.orders.broker"; may be empty
  Position at;
  std::string text;  // what was found, what was expected, what to do
};

class Faults {
 public:
  void Add(std::string path, Position at, std::string text) {
    list_.push_back({std::move(path), at, std::move(text)});
  }
  bool empty() const { return list_.empty(); }
  const std::vector<Fault>& list() const { return list_; }

  // OK without faults; else kInvalidArgument with one line a fault, in the
  // order of their places, "name:line:column: path: text"; at most 100.
  absl::Status ToStatus(std::string_view name) const;

 private:
  std::vector<Fault> list_;
};

// The candidate that `word` is most likely a slip of, or empty.
std::string_view NearMiss(std::string_view word,
                          const std::vector<std::string_view>& candidates);

// "; did you mean \"x\"?" for a near miss, else "; expected one of a, b, c" (or
// nothing when there are none).
std::string Suggestion(std::string_view word,
                       const std::vector<std::string_view>& candidates);

// `a` and `b` joined by a dot; either may be empty.
std::string JoinPath(std::string_view a, std::string_view b);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_FAULT_H_
