#include "lib/config/binding_edit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "lib/config/steps.h"

namespace tieline::inline v0 {
namespace config {
namespace {

bool SameFormer(const FormerBroker& a, const FormerBroker& b) {
  return a.broker == b.broker && a.generation == b.generation &&
         a.entity == b.entity;
}

bool HasName(const Node& map, std::string_view name) {
  return std::any_of(map.entries.begin(), map.entries.end(),
                     [&](const Entry& entry) { return entry.name == name; });
}

// The generation that follows the one at `at`.
uint64_t Next(const QueueBinding& binding, size_t at) {
  return at + 1 < binding.was.size() ? binding.was[at + 1].generation
                                     : binding.generation;
}

}  // namespace

BindingEdit::BindingEdit(const YamlText& text, const Entry& queue,
                         const QueueBinding& now)
    : text_(text), map_(queue.value), now_(now) {
  json_ = text.text()[text.Begin(queue)] == '"';
}

std::optional<std::string> BindingEdit::Make(const QueueBinding& wanted) {
  if (!SetBroker(wanted.broker) || !SetRest(wanted)) return std::nullopt;
  std::stable_sort(
      changes_.begin(), changes_.end(), [](const Change& a, const Change& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
      });
  std::string out;
  size_t at = 0;
  for (const Change& change : changes_) {
    if (change.begin < at) return std::nullopt;
    out += text_.text().substr(at, change.begin - at);
    out += change.text;
    at = change.end;
  }
  out += text_.text().substr(at);
  return out;
}

bool BindingEdit::SetBroker(const std::string& broker) {
  const Entry* entry = Find("broker");
  if (entry == nullptr || entry->value.kind != Node::Kind::kScalar) {
    return false;
  }
  return entry->value.text == broker ||
         Replace(entry->value, map_.flow, Quoted(broker));
}

bool BindingEdit::SetRest(const QueueBinding& wanted) {
  const Entry* generation = Find("generation");
  const Entry* was = Find("was");
  const std::string number = fmt::format("{}", wanted.generation);
  std::vector<std::string> added;
  if (generation != nullptr) {
    if (wanted.generation != now_.generation &&
        !Replace(generation->value, map_.flow, number)) {
      return false;
    }
  } else if (wanted.generation != 1 || !wanted.was.empty() ||
             !now_.was.empty()) {
    added.push_back(Field("generation", number));
  }
  if (was != nullptr) {
    if (!SetWas(*was, wanted)) return false;
  } else if (!wanted.was.empty()) {
    added.push_back(Field("was", List(wanted, 0)));
  }
  const Entry* after = generation != nullptr ? generation : Find("broker");
  return added.empty() || Insert(*after, map_.flow, added);
}

bool BindingEdit::SetWas(const Entry& was, const QueueBinding& wanted) {
  const Node& list = was.value;
  if (list.kind == Node::Kind::kList && !list.items.empty()) {
    return wanted.was.empty() ? RemoveField(was) : EditList(list, wanted);
  }
  if (wanted.was.empty()) return true;
  if (list.kind == Node::Kind::kList) {  // []
    const auto end = text_.End(list, map_.flow);
    if (!end.has_value()) return false;
    changes_.push_back({text_.Begin(list), *end, List(wanted, 0)});
    return true;
  }
  // Nothing is written behind the colon.
  const auto name_end = text_.NameEnd(was, map_.flow);
  if (!name_end.has_value() ||
      !text_.text().substr(*name_end).starts_with(':')) {
    return false;
  }
  const size_t at = *name_end + 1;
  changes_.push_back({at, at, " " + List(wanted, 0)});
  return true;
}

// What is in both lists stays where it is; the rest goes, or is added behind.
bool BindingEdit::EditList(const Node& list, const QueueBinding& wanted) {
  std::vector<Kept> kept;
  for (size_t i = 0; i < now_.was.size(); ++i) {
    const size_t next = kept.size();
    if (next < wanted.was.size() && SameFormer(now_.was[i], wanted.was[next])) {
      kept.push_back({i, next});
    }
  }
  for (const Kept& one : kept) {
    const Node& item = list.items[one.item];
    const FormerBroker& former = wanted.was[one.wanted];
    const bool told =
        item.kind == Node::Kind::kMap && HasName(item, "generation");
    if (!told && former.generation + 1 != Next(wanted, one.wanted) &&
        !TellGeneration(item, former)) {
      return false;
    }
  }
  std::vector<std::string> added;
  for (size_t i = kept.size(); i < wanted.was.size(); ++i) {
    added.push_back(Item(wanted.was[i], Next(wanted, i)));
  }
  return RemoveItems(list, kept) &&
         (added.empty() || Append(list, added, !kept.empty()));
}

bool BindingEdit::RemoveItems(const Node& list, const std::vector<Kept>& kept) {
  size_t next = 0;
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (next < kept.size() && kept[next].item == i) {
      ++next;
    } else if (!RemoveItem(list, i, next == 0)) {
      return false;
    }
  }
  return true;
}

// `in_front`: nothing before it stays.
bool BindingEdit::RemoveItem(const Node& list, size_t item, bool in_front) {
  const Node& node = list.items[item];
  const auto end = text_.End(node, list.flow);
  if (!end.has_value()) return false;
  const size_t begin = text_.Begin(node);
  if (!list.flow) {
    changes_.push_back({text_.LineBegin(begin), text_.NextLine(*end), ""});
    return true;
  }
  if (in_front) {
    const bool is_last = item + 1 == list.items.size();
    changes_.push_back(
        {begin, is_last ? *end : text_.Begin(list.items[item + 1]), ""});
    return true;
  }
  const auto before = text_.End(list.items[item - 1], true);
  if (!before.has_value()) return false;
  changes_.push_back({*before, *end, ""});
  return true;
}

bool BindingEdit::Append(const Node& list,
                         const std::vector<std::string>& items, bool any_kept) {
  const Node& last = list.items.back();
  const auto end = text_.End(last, list.flow);
  if (!end.has_value()) return false;
  if (list.flow) {
    changes_.push_back(
        {*end, *end,
         fmt::format("{}{}", any_kept ? ", " : "", fmt::join(items, ", "))});
    return true;
  }
  // "    - " as before the last item.
  const size_t begin = text_.Begin(last);
  const size_t line = text_.LineBegin(begin);
  const std::string_view dash = text_.text().substr(line, begin - line);
  const size_t mark = dash.find_first_not_of(' ');
  if (mark == std::string_view::npos || dash[mark] != '-' ||
      dash.find_first_not_of(' ', mark + 1) != std::string_view::npos) {
    return false;
  }
  // Behind the line break, when the line itself goes.
  const size_t at = any_kept ? text_.LineEnd(*end) : text_.NextLine(*end);
  std::string lines;
  for (const std::string& item : items) {
    const std::string_view line_break = text_.LineBreak(begin);
    lines += any_kept ? fmt::format("{}{}{}", line_break, dash, item)
                      : fmt::format("{}{}{}", dash, item, line_break);
  }
  changes_.push_back({at, at, std::move(lines)});
  return true;
}

bool BindingEdit::TellGeneration(const Node& item, const FormerBroker& former) {
  if (item.kind == Node::Kind::kScalar) {
    // 0 is followed by no generation, so that it is told.
    return Replace(item, true, Item(former, 0));
  }
  for (const Entry& entry : item.entries) {
    if (entry.name != "broker") continue;
    return Insert(entry, item.flow,
                  {Field("generation", fmt::format("{}", former.generation))});
  }
  return false;
}

bool BindingEdit::RemoveField(const Entry& field) {
  const auto end = text_.End(field.value, map_.flow);
  if (!end.has_value()) return false;
  const size_t begin = text_.Begin(field);
  if (!map_.flow) {
    changes_.push_back({text_.LineBegin(begin), text_.NextLine(*end), ""});
    return true;
  }
  const auto at = static_cast<size_t>(&field - map_.entries.data());
  if (at == 0) {
    if (map_.entries.size() == 1) return false;
    changes_.push_back({begin, text_.Begin(map_.entries[1]), ""});
    return true;
  }
  const auto before = text_.End(map_.entries[at - 1].value, true);
  if (!before.has_value()) return false;
  changes_.push_back({*before, *end, ""});
  return true;
}

bool BindingEdit::Insert(const Entry& after, bool in_flow,
                         const std::vector<std::string>& fields) {
  const auto end = text_.End(after.value, in_flow);
  if (!end.has_value()) return false;
  if (in_flow) {
    changes_.push_back(
        {*end, *end, fmt::format(", {}", fmt::join(fields, ", "))});
    return true;
  }
  const size_t begin = text_.Begin(after);
  const size_t line = text_.LineBegin(begin);
  // Under a dash the next field stands without it.
  std::string indent(text_.text().substr(line, begin - line));
  if (indent.find_first_not_of(" -") != std::string::npos) return false;
  std::replace(indent.begin(), indent.end(), '-', ' ');
  const size_t at = text_.LineEnd(*end);
  std::string lines;
  for (const std::string& field : fields) {
    lines += fmt::format("{}{}{}", text_.LineBreak(begin), indent, field);
  }
  changes_.push_back({at, at, std::move(lines)});
  return true;
}

bool BindingEdit::Replace(const Node& scalar, bool in_flow,
                          std::string_view text) {
  const auto end = text_.End(scalar, in_flow);
  if (!end.has_value()) return false;
  const size_t begin = text_.Begin(scalar);
  changes_.push_back({begin, *end, std::string(text)});
  return true;
}

const Entry* BindingEdit::Find(std::string_view name) const {
  for (const Entry& entry : map_.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string BindingEdit::Quoted(std::string_view text) const {
  const std::string out = QuoteYaml(text);
  return json_ && !out.starts_with('"') ? fmt::format("\"{}\"", out) : out;
}

std::string BindingEdit::Field(std::string_view name,
                               std::string_view value) const {
  return json_ ? fmt::format("\"{}\": {}", name, value)
               : fmt::format("{}: {}", name, value);
}

std::string BindingEdit::Item(const FormerBroker& former, uint64_t next) const {
  const bool counted = former.generation + 1 == next;
  if (counted && former.entity.empty()) return Quoted(former.broker);
  std::vector<std::string> fields = {Field("broker", Quoted(former.broker))};
  if (!counted) {
    fields.push_back(Field("generation", fmt::format("{}", former.generation)));
  }
  if (!former.entity.empty()) {
    fields.push_back(Field("entity", Quoted(former.entity)));
  }
  return fmt::format("{{ {} }}", fmt::join(fields, ", "));
}

std::string BindingEdit::List(const QueueBinding& wanted, size_t from) const {
  std::vector<std::string> items;
  for (size_t i = from; i < wanted.was.size(); ++i) {
    items.push_back(Item(wanted.was[i], Next(wanted, i)));
  }
  return fmt::format("[ {} ]", fmt::join(items, ", "));
}

}  // namespace config
}  // namespace tieline::inline v0
