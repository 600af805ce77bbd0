// BindingEdit: the changes to a YAML text that give a queue another binding.
// Private to lib/config; edit.h is its interface.
#ifndef TIELINE_LIB_CONFIG_BINDING_EDIT_H_
#define TIELINE_LIB_CONFIG_BINDING_EDIT_H_

#include <string>
#include <string_view>
#include <vector>

#include "lib/config/document.h"
#include "lib/config/edit.h"
#include "lib/config/yaml_text.h"

namespace tieline::inline v0 {
namespace config {

class BindingEdit {
 public:
  // `name` and its value are the queue's in `text`, and `now` is what they say.
  // All have to outlive it.
  BindingEdit(const YamlText& text, const Entry& queue,
              const QueueBinding& now);

  // The text with `wanted`. nullopt: it can't be told where to write.
  std::optional<std::string> Make(const QueueBinding& wanted);

 private:
  struct Change {
    size_t begin = 0;
    size_t end = 0;
    std::string text;
  };
  // One of `was` that stays: its place in the list of the text.
  struct Kept {
    size_t item = 0;
    size_t wanted = 0;
  };

  // Each returns false when it can't be told where to write.
  bool SetBroker(const std::string& broker);
  bool SetRest(const QueueBinding& wanted);
  bool SetWas(const Entry& was, const QueueBinding& wanted);
  bool EditList(const Node& list, const QueueBinding& wanted);
  bool RemoveItems(const Node& list, const std::vector<Kept>& kept);
  bool RemoveItem(const Node& list, size_t item, bool in_front);
  bool Append(const Node& list, const std::vector<std::string>& items,
              bool any_kept);
  bool TellGeneration(const Node& item, const FormerBroker& former);
  bool RemoveField(const Entry& field);
  bool Insert(const Entry& after, bool in_flow,
              const std::vector<std::string>& fields);
  bool Replace(const Node& scalar, bool in_flow, std::string_view text);

  const Entry* Find(std::string_view name) const;
  std::string Quoted(std::string_view text) const;
  std::string Field(std::string_view name, std::string_view value) const;
  // One entry of `was`; `next` is the generation that follows it.
  std::string Item(const FormerBroker& former, uint64_t next) const;
  std::string List(const QueueBinding& wanted, size_t from) const;

  const YamlText& text_;
  const Node& map_;
  const QueueBinding& now_;
  bool json_ = false;  // names are quoted, as in JSON
  std::vector<Change> changes_;
};

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_BINDING_EDIT_H_
