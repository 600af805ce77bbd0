// A YAML document as a tree with places: what the config parser reads.
//
// Bounded: 1 MiB of text, 16 levels, 20,000 nodes, and no anchors or aliases
// (they would let a small text stand for a large one). A name given twice in a
// mapping is a fault. Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_DOCUMENT_H_
#define TIELINE_LIB_CONFIG_DOCUMENT_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/config/fault.h"

namespace tieline::inline v0 {
namespace config {

inline constexpr size_t kMaxTextBytes = 1 << 20;

struct Entry;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Position at;
  size_t offset = 0;           // of `at`: bytes, without a byte order mark
  bool quoted = false;         // a scalar in quotes: always text
  bool flow = false;           // a list in [], a map in {}
  std::string text;            // of a scalar
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, in the order of the text
};

struct Entry {
  std::string name;
  Position at;  // of the name
  size_t offset = 0;
  Node value;
};

// "a list", "a mapping", "text", "nothing": for errors.
std::string_view Describe(const Node& node);

// Reads one document. What is wrong with the form goes to `faults`, and the
// answer is then nullopt.
std::optional<Node> ReadDocument(std::string_view yaml, Faults* faults);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_DOCUMENT_H_
