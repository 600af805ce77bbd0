#include "lib/config/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <sstream>

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxNodes = 20000;

// Ends the parse from inside one of its events.
struct Stop : std::exception {
  Stop(Position where, std::string what) : at(where), text(std::move(what)) {}
  Position at;
  std::string text;
};

Position ToPosition(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Faults* faults) : faults_(faults) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Node node;
    Place(mark, &node);
    Put(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Stop(ToPosition(mark),
               "aliases (*name) are not read here; write the value out");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    throw Stop(ToPosition(mark),
               "anchors (&name) are not read here; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    Node node;
    node.kind = Node::Kind::kScalar;
    Place(mark, &node);
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    node.text = value;
    if (!node.quoted && (value == "~" || value == "null")) {
      node.kind = Node::Kind::kNull;
    }
    Put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t,
                       YAML::EmitterStyle::value style) override {
    Begin(mark, Node::Kind::kList, style);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value style) override {
    Begin(mark, Node::Kind::kMap, style);
  }
  void OnMapEnd() override { End(); }

  std::optional<Node> root;

 private:
  // A map or list that is being filled; `name` waits for its value.
  struct Open {
    Node node;
    std::optional<Entry> name;
  };

  static void Place(const YAML::Mark& mark, Node* node) {
    node->at = ToPosition(mark);
    node->offset = static_cast<size_t>(mark.pos);
  }

  void Begin(const YAML::Mark& mark, Node::Kind kind,
             YAML::EmitterStyle::value style) {
    if (open_.size() == kMaxDepth) {
      throw Stop(ToPosition(mark), "nested more than 16 levels deep");
    }
    Open open;
    open.node.kind = kind;
    open.node.flow = style == YAML::EmitterStyle::Flow;
    Place(mark, &open.node);
    open_.push_back(std::move(open));
  }

  void End() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    Put(std::move(node));
  }

  void Put(Node node) {
    if (++nodes_ > kMaxNodes) {
      throw Stop(node.at, "more than 20000 values in one file");
    }
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    Open& top = open_.back();
    if (top.node.kind == Node::Kind::kList) {
      top.node.items.push_back(std::move(node));
    } else if (!top.name.has_value()) {
      if (node.kind != Node::Kind::kScalar) {
        throw Stop(node.at, "expected the name of a field");
      }
      top.name = Entry{std::move(node.text), node.at, node.offset, {}};
    } else {
      PutEntry(&top, std::move(node));
    }
  }

  void PutEntry(Open* map, Node value) {
    Entry entry = *std::move(map->name);
    map->name.reset();
    for (const Entry& other : map->node.entries) {
      if (other.name == entry.name) {
        faults_->Add("", entry.at,
                     fmt::format("\"{}\" is given twice, first in line {}; "
                                 "keep one",
                                 entry.name, other.at.line));
        return;
      }
    }
    entry.value = std::move(value);
    // The library gives "nothing" the place of whatever comes next.
    if (entry.value.kind == Node::Kind::kNull) {
      entry.value.at = entry.at;
      entry.value.offset = entry.offset;
    }
    map->node.entries.push_back(std::move(entry));
  }

  Faults* faults_;
  std::vector<Open> open_;
  size_t nodes_ = 0;
};

}  // namespace

std::string_view Describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "text";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a mapping";
  }
  return "";
}

std::optional<Node> ReadDocument(std::string_view yaml, Faults* faults) {
  if (yaml.size() > kMaxTextBytes) {
    faults->Add("", {}, "larger than 1 MiB");
    return std::nullopt;
  }
  if (yaml.find('\0') != std::string_view::npos) {
    faults->Add("", {}, "holds a zero byte; expected YAML text");
    return std::nullopt;
  }
  Builder builder(faults);
  // The library reports by exceptions; none passes this function.
  try {
    std::istringstream in{std::string(yaml)};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {
      Node empty;
      empty.kind = Node::Kind::kMap;
      empty.at = {1, 1};
      return empty;
    }
    std::optional<Node> root = std::move(builder.root);
    Builder second(faults);
    if (parser.HandleNextDocument(second)) {
      faults->Add("", second.root ? second.root->at : Position{},
                  "a second document (after ---); keep one");
      return std::nullopt;
    }
    return root;
  } catch (const Stop& stop) {
    faults->Add("", stop.at, stop.text);
  } catch (const YAML::Exception& e) {
    faults->Add("", ToPosition(e.mark), fmt::format("not YAML: {}", e.msg));
  } catch (const std::exception& e) {
    faults->Add("", {}, fmt::format("cannot be read: {}", e.what()));
  }
  return std::nullopt;
}

}  // namespace config
}  // namespace tieline::inline v0
