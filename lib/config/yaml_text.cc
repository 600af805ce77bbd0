#include "lib/config/yaml_text.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlanks = " \t\r\n";

bool IsBlank(char c) { return kBlanks.find(c) != std::string_view::npos; }

}  // namespace

YamlText::YamlText(std::string_view text) : text_(text) {
  if (text.starts_with(kByteOrderMark)) mark_ = kByteOrderMark.size();
}

std::optional<size_t> YamlText::End(const Node& node, bool in_flow) const {
  const size_t begin = Begin(node);
  if (begin >= text_.size()) return std::nullopt;
  switch (node.kind) {
    case Node::Kind::kNull:
      return std::nullopt;
    case Node::Kind::kScalar: {
      const auto end = ScalarEnd(begin, in_flow);
      if (!end.has_value()) return std::nullopt;
      const char first = text_[begin];
      const bool plain = first != '"' && first != '\'';
      // Plain text may go on in the next line.
      if (plain && text_.substr(begin, *end - begin) != node.text) {
        return std::nullopt;
      }
      return end;
    }
    case Node::Kind::kList:
    case Node::Kind::kMap:
      if (node.flow) return FlowEnd(begin);
      if (node.kind == Node::Kind::kList) {
        return node.items.empty() ? std::nullopt
                                  : End(node.items.back(), false);
      }
      return node.entries.empty() ? std::nullopt
                                  : End(node.entries.back().value, false);
  }
  return std::nullopt;
}

std::optional<size_t> YamlText::NameEnd(const Entry& entry,
                                        bool in_flow) const {
  return ScalarEnd(Begin(entry), in_flow);
}

size_t YamlText::LineBegin(size_t at) const {
  if (at == 0) return 0;
  const size_t found = text_.rfind('\n', at - 1);
  return found == std::string_view::npos ? 0 : found + 1;
}

size_t YamlText::LineEnd(size_t at) const {
  const size_t found = text_.find('\n', at);
  if (found == std::string_view::npos) return text_.size();
  return found > at && text_[found - 1] == '\r' ? found - 1 : found;
}

size_t YamlText::NextLine(size_t at) const {
  const size_t found = text_.find('\n', at);
  return found == std::string_view::npos ? text_.size() : found + 1;
}

std::string_view YamlText::LineBreak(size_t at) const {
  return text_.substr(LineEnd(at)).starts_with("\r\n") ? "\r\n" : "\n";
}

std::optional<size_t> YamlText::QuotedEnd(size_t at) const {
  const char quote = text_[at];
  for (size_t i = at + 1; i < text_.size(); ++i) {
    if (quote == '"' && text_[i] == '\\') {
      ++i;
    } else if (text_[i] == quote) {
      const bool doubled =
          quote == '\'' && i + 1 < text_.size() && text_[i + 1] == quote;
      if (!doubled) return i + 1;
      ++i;
    }
  }
  return std::nullopt;
}

std::optional<size_t> YamlText::ScalarEnd(size_t at, bool in_flow) const {
  constexpr std::string_view kOther = "|>!&*%@`";
  constexpr std::string_view kFlow = ",[]{}";
  const char first = text_[at];
  if (first == '"' || first == '\'') return QuotedEnd(at);
  if (kOther.find(first) != std::string_view::npos) return std::nullopt;
  size_t i = at;
  for (; i < text_.size() && text_[i] != '\n'; ++i) {
    const char c = text_[i];
    const bool last = i + 1 == text_.size();
    if (c == ':' && (last || IsBlank(text_[i + 1]))) break;
    if (c == '#' && i > at && IsBlank(text_[i - 1])) break;
    if (in_flow && kFlow.find(c) != std::string_view::npos) break;
  }
  while (i > at && IsBlank(text_[i - 1])) --i;
  if (i == at) return std::nullopt;
  return i;
}

std::optional<size_t> YamlText::FlowEnd(size_t at) const {
  if (text_[at] != '[' && text_[at] != '{') return std::nullopt;
  size_t depth = 0;
  bool begins = true;  // a value or a name may begin here
  for (size_t i = at; i < text_.size(); ++i) {
    const char c = text_[i];
    if (IsBlank(c)) continue;
    if (c == '#' && i > at && IsBlank(text_[i - 1])) {
      i = text_.find('\n', i);
      if (i == std::string_view::npos) return std::nullopt;
    } else if ((c == '"' || c == '\'') && begins) {
      const auto end = QuotedEnd(i);
      if (!end.has_value()) return std::nullopt;
      i = *end - 1;
      begins = false;
    } else if (c == '[' || c == '{') {
      ++depth;
      begins = true;
    } else if (c == ']' || c == '}') {
      if (--depth == 0) return i + 1;
      begins = false;
    } else {
      begins = c == ',' || c == ':';
    }
  }
  return std::nullopt;
}

}  // namespace config
}  // namespace tieline::inline v0
