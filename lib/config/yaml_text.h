// YamlText: where the pieces of a YAML text end, for editing it in place.
//
// It knows as much of YAML as a config's edit needs; what it can't tell it says
// so, and whoever edits reads the result again to see that all is as meant.
// Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_YAML_TEXT_H_
#define TIELINE_LIB_CONFIG_YAML_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config/document.h"

namespace tieline::inline v0 {
namespace config {

class YamlText {
 public:
  // `text` has to outlive it.
  explicit YamlText(std::string_view text);

  std::string_view text() const { return text_; }
  // Where nodes and names of the document begin.
  size_t Begin(const Node& node) const { return node.offset + mark_; }
  size_t Begin(const Entry& entry) const { return entry.offset + mark_; }

  // Behind the last byte of what is written there; nullopt when it is nothing
  // at all, has a tag, goes over several lines as text, or can't be told.
  // `in_flow`: inside of brackets.
  std::optional<size_t> End(const Node& node, bool in_flow) const;
  std::optional<size_t> NameEnd(const Entry& entry, bool in_flow) const;

  // The first byte of the line with this place, and its end: the place of its
  // line break, or of the end of the text.
  size_t LineBegin(size_t at) const;
  size_t LineEnd(size_t at) const;
  // The first byte behind that line break, or the end of the text.
  size_t NextLine(size_t at) const;
  // "\r\n" where the line with this place ends so.
  std::string_view LineBreak(size_t at) const;

 private:
  std::optional<size_t> ScalarEnd(size_t at, bool in_flow) const;
  std::optional<size_t> QuotedEnd(size_t at) const;
  std::optional<size_t> FlowEnd(size_t at) const;

  std::string_view text_;
  size_t mark_ = 0;  // bytes of a byte order mark
};

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_YAML_TEXT_H_
