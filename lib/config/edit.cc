#include "lib/config/edit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/config/binding_edit.h"
#include "lib/config/check.h"
#include "lib/config/check_moves.h"
#include "lib/config/document.h"
#include "lib/config/field_text.h"
#include "lib/config/steps.h"
#include "lib/config/yaml_text.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr std::string_view kFields[] = {"broker", "generation", "was"};

const Entry* Find(const Node& map, std::string_view name) {
  for (const Entry& entry : map.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string PlaceOf(Position at) {
  return at.line > 0 ? fmt::format("{}:{}: ", at.line, at.column) : "";
}

absl::StatusOr<Node> Read(std::string_view yaml) {
  Faults faults;
  std::optional<Node> root = ReadDocument(yaml, &faults);
  if (root.has_value() && faults.empty()) return *std::move(root);
  const Fault& fault = faults.list()[0];
  const bool shared =
      fault.text.starts_with("aliases") || fault.text.starts_with("anchors");
  return MakeStatus(shared ? absl::StatusCode::kFailedPrecondition
                           : absl::StatusCode::kInvalidArgument,
                    "{}{}", PlaceOf(fault.at), fault.text);
}

absl::StatusOr<const Entry*> FindQueue(const Node& root,
                                       std::string_view queue) {
  const Entry* queues = Find(root, "queues");
  const Entry* found = queues == nullptr ? nullptr : Find(queues->value, queue);
  if (found == nullptr) {
    std::vector<std::string_view> names;
    if (queues != nullptr) {
      for (const Entry& entry : queues->value.entries) {
        names.push_back(entry.name);
      }
    }
    return MakeStatus(absl::StatusCode::kNotFound,
                      "there is no queue \"{}\" under queues{}", queue,
                      Suggestion(queue, names));
  }
  return found;
}

std::optional<uint64_t> Number(const Node& node) {
  uint64_t number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [at, error] = std::from_chars(node.text.data(), end, number);
  if (node.kind != Node::Kind::kScalar || error != std::errc() || at != end) {
    return std::nullopt;
  }
  return number;
}

absl::Status Wrong(const Node& node, std::string_view what) {
  return InvalidArgument("{}{}", PlaceOf(node.at), what);
}

absl::StatusOr<FormerBroker> ReadFormer(const Node& item) {
  FormerBroker former;
  if (item.kind == Node::Kind::kScalar) {
    former.broker = item.text;
    return former;
  }
  const Entry* broker = Find(item, "broker");
  if (broker == nullptr) {
    return Wrong(item, "expected the name of a broker, or a mapping with one");
  }
  former.broker = broker->value.text;
  if (const Entry* entity = Find(item, "entity"); entity != nullptr) {
    former.entity = entity->value.text;
  }
  if (const Entry* entry = Find(item, "generation"); entry != nullptr) {
    const auto number = Number(entry->value);
    if (!number.has_value()) return Wrong(entry->value, "expected a number");
    former.generation = *number;
  }
  return former;
}

absl::StatusOr<QueueBinding> BindingIn(const Entry& queue) {
  QueueConfig read;
  read.name = queue.name;
  const Node& map = queue.value;
  const Entry* broker = Find(map, "broker");
  if (broker == nullptr || broker->value.kind != Node::Kind::kScalar) {
    return Wrong(map, "expected a mapping with broker");
  }
  read.broker = broker->value.text;
  const Entry* entity = Find(map, "entity");
  read.entity = entity == nullptr ? queue.name : entity->value.text;
  read.generation = 0;
  if (const Entry* entry = Find(map, "generation"); entry != nullptr) {
    const auto number = Number(entry->value);
    if (!number.has_value()) return Wrong(entry->value, "expected a number");
    read.generation = *number;
  }
  if (const Entry* was = Find(map, "was"); was != nullptr) {
    if (was->value.kind != Node::Kind::kList &&
        was->value.kind != Node::Kind::kNull) {
      return Wrong(was->value, "expected a list of former brokers");
    }
    for (const Node& item : was->value.items) {
      TIELINE_ASSIGN_OR_RETURN(FormerBroker former, ReadFormer(item));
      read.was.push_back(std::move(former));
    }
  }
  CountGenerations(&read.generation, &read.was);
  return BindingOf(read);
}

bool SameNode(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.quoted != b.quoted ||
      a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!SameNode(a.items[i], b.items[i])) return false;
  }
  for (size_t i = 0; i < a.entries.size(); ++i) {
    if (a.entries[i].name != b.entries[i].name ||
        !SameNode(a.entries[i].value, b.entries[i].value)) {
      return false;
    }
  }
  return true;
}

// The document without what an edit may change.
Node Rest(Node root, std::string_view queue) {
  for (Entry& section : root.entries) {
    if (section.name != "queues") continue;
    for (Entry& entry : section.value.entries) {
      if (entry.name != queue) continue;
      std::erase_if(entry.value.entries, [](const Entry& field) {
        for (std::string_view name : kFields) {
          if (field.name == name) return true;
        }
        return false;
      });
    }
  }
  return root;
}

// The binding as one that a config may have, with brokers of this document.
absl::Status CheckBinding(const Node& root, std::string_view queue,
                          const QueueBinding& binding) {
  Config config;
  if (const Entry* brokers = Find(root, "brokers"); brokers != nullptr) {
    for (const Entry& entry : brokers->value.entries) {
      config.brokers[entry.name].name = entry.name;
    }
  }
  QueueConfig& made = config.queues[std::string(queue)];
  made.name = queue;
  made.broker = binding.broker;
  made.generation = binding.generation;
  made.was = binding.was;
  if (config.brokers.count(binding.broker) == 0) {
    std::vector<std::string_view> names;
    for (const auto& [name, unused] : config.brokers) names.push_back(name);
    return InvalidArgument("there is no broker \"{}\"{}", binding.broker,
                           Suggestion(binding.broker, names));
  }
  Faults faults;
  CheckMoves(config, &faults);
  if (faults.empty()) return absl::OkStatus();
  const Fault& fault = faults.list()[0];
  return InvalidArgument("{}: {}", fault.path, fault.text);
}

absl::Status ByHand(std::string_view why, std::string_view queue,
                    const QueueBinding& binding) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "{}; the file is left as it is; by hand: {}", why,
                    EditByHand(queue, binding));
}

// The same where nothing is known but what is wanted.
absl::Status ByHand(const absl::Status& why, std::string_view queue,
                    std::string_view edit) {
  if (why.code() != absl::StatusCode::kFailedPrecondition) return why;
  return MakeStatus(why.code(),
                    "{}; the file is left as it is; by hand: under queues, "
                    "{}: {}",
                    MessageOf(why), QuoteYaml(queue), edit);
}

}  // namespace

QueueBinding BindingOf(const QueueConfig& queue) {
  QueueBinding binding = {queue.broker, queue.generation, queue.was};
  const std::string& entity = queue.entity.empty() ? queue.name : queue.entity;
  for (FormerBroker& former : binding.was) {
    if (former.entity == entity) former.entity.clear();
  }
  return binding;
}

bool operator==(const QueueBinding& a, const QueueBinding& b) {
  const auto same = [](const FormerBroker& x, const FormerBroker& y) {
    return x.broker == y.broker && x.generation == y.generation &&
           x.entity == y.entity;
  };
  return a.broker == b.broker && a.generation == b.generation &&
         std::equal(a.was.begin(), a.was.end(), b.was.begin(), b.was.end(),
                    same);
}

QueueBinding MovedTo(QueueBinding binding, std::string_view broker,
                     uint64_t generation) {
  binding.was.push_back({std::move(binding.broker), binding.generation, ""});
  binding.broker = broker;
  binding.generation = generation == 0 ? binding.generation + 1 : generation;
  return binding;
}

absl::StatusOr<QueueBinding> ReadBinding(std::string_view yaml,
                                         std::string_view queue) {
  TIELINE_ASSIGN_OR_RETURN(const Node root, Read(yaml));
  TIELINE_ASSIGN_OR_RETURN(const Entry* entry, FindQueue(root, queue));
  return BindingIn(*entry);
}

absl::StatusOr<std::string> WriteBinding(std::string_view yaml,
                                         std::string_view queue,
                                         const QueueBinding& binding) {
  const absl::StatusOr<Node> root = Read(yaml);
  if (root.status().code() == absl::StatusCode::kFailedPrecondition) {
    return ByHand(MessageOf(root.status()), queue, binding);
  }
  TIELINE_RETURN_IF_ERROR(root.status());
  TIELINE_ASSIGN_OR_RETURN(const Entry* entry, FindQueue(*root, queue));
  TIELINE_RETURN_IF_ERROR(CheckBinding(*root, queue, binding));
  if (Find(entry->value, "<<") != nullptr) {
    return ByHand("the queue has a merge key (<<)", queue, binding);
  }
  TIELINE_ASSIGN_OR_RETURN(const QueueBinding now, BindingIn(*entry));
  if (now == binding) return std::string(yaml);
  const YamlText text(yaml);
  std::optional<std::string> edited =
      BindingEdit(text, *entry, now).Make(binding);
  if (edited.has_value()) {
    const auto after = Read(*edited);
    const auto said = ReadBinding(*edited, queue);
    if (after.ok() && said.ok() && *said == binding &&
        SameNode(Rest(*root, queue), Rest(*after, queue))) {
      return *std::move(edited);
    }
  }
  return ByHand(fmt::format("line {}: queue \"{}\" is written in a way that "
                            "can't be edited without harm",
                            entry->at.line, queue),
                queue, binding);
}

absl::StatusOr<std::string> EditMove(std::string_view yaml,
                                     std::string_view queue,
                                     std::string_view to_broker,
                                     uint64_t generation) {
  const absl::StatusOr<QueueBinding> now = ReadBinding(yaml, queue);
  if (!now.ok()) {
    return ByHand(now.status(), queue,
                  fmt::format("put the present broker, with its generation, "
                              "at the end of was, set broker: {}, and make "
                              "generation 1 more",
                              QuoteYaml(to_broker)));
  }
  if (now->broker == to_broker) {
    return InvalidArgument("queue \"{}\" is at broker \"{}\" already", queue,
                           to_broker);
  }
  return WriteBinding(yaml, queue, MovedTo(*now, to_broker, generation));
}

absl::StatusOr<std::string> DropWas(std::string_view yaml,
                                    std::string_view queue,
                                    std::string_view broker) {
  absl::StatusOr<QueueBinding> binding = ReadBinding(yaml, queue);
  if (!binding.ok()) {
    return ByHand(binding.status(), queue,
                  fmt::format("write the generation out, and take {} out of "
                              "was",
                              QuoteYaml(broker)));
  }
  const size_t dropped = std::erase_if(
      binding->was,
      [&](const FormerBroker& former) { return former.broker == broker; });
  if (dropped == 0) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      "queue \"{}\" has no broker \"{}\" in was", queue,
                      broker);
  }
  return WriteBinding(yaml, queue, *binding);
}

absl::StatusOr<std::string> ReadStateFile(std::string_view yaml,
                                          const std::string& directory) {
  TIELINE_ASSIGN_OR_RETURN(const Node root, Read(yaml));
  const Entry* state = Find(root, "state");
  const Entry* file = state == nullptr ? nullptr : Find(state->value, "file");
  if (file == nullptr || file->value.text.empty()) return std::string();
  return ResolvePath(file->value.text, directory);
}

std::string EditByHand(std::string_view queue, const QueueBinding& binding) {
  std::vector<std::string> items;
  for (const FormerBroker& former : binding.was) {
    items.push_back(fmt::format(
        "{{ broker: {}, generation: {}{} }}", QuoteYaml(former.broker),
        former.generation,
        former.entity.empty()
            ? ""
            : fmt::format(", entity: {}", QuoteYaml(former.entity))));
  }
  const std::string was =
      items.empty() ? "no was"
                    : fmt::format("was: [ {} ]", fmt::join(items, ", "));
  return fmt::format("under queues, {}: broker: {}, generation: {}, {}",
                     QuoteYaml(queue), QuoteYaml(binding.broker),
                     binding.generation, was);
}

}  // namespace config
}  // namespace tieline::inline v0
