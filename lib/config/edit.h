// Writes a move into the text of a config: the queue's `broker`, `generation`
// and `was`, and nothing else. Comments, order, quotes and layout of the rest
// stay as they are.
//
// What was written is read again: all but these three fields has to be what it
// was. Where a text can't be edited so, the error says what to write by hand.
// Secrets are neither looked up nor needed. Pure functions. Called by the
// command (`tieline move`); private to the project.
#ifndef TIELINE_LIB_CONFIG_EDIT_H_
#define TIELINE_LIB_CONFIG_EDIT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

// Where a queue is, and where it was.
struct QueueBinding {
  std::string broker;
  uint64_t generation = 1;
  // Oldest first, with their generations. An empty entity: as now.
  std::vector<FormerBroker> was;
};

// What a config says of a queue.
QueueBinding BindingOf(const QueueConfig& queue);
bool operator==(const QueueBinding& a, const QueueBinding& b);

// The binding after a move to `broker`: the present one is added to `was`.
// `generation` 0: the next one.
QueueBinding MovedTo(QueueBinding binding, std::string_view broker,
                     uint64_t generation = 0);

// What a text says of a queue, with the generations that it leaves out.
//   kInvalidArgument     the text is no config as far as it is read here
//   kNotFound            it has no such queue
//   kFailedPrecondition  it has anchors or aliases
absl::StatusOr<QueueBinding> ReadBinding(std::string_view yaml,
                                         std::string_view queue);

// The text with `binding` for a queue; the same text when it says so already.
//   kInvalidArgument     as above; or there is no such broker; or the binding
//                        can't be (generations that don't rise)
//   kNotFound            it has no such queue
//   kFailedPrecondition  it can't be edited without harm: anchors, aliases,
//                        merge keys, tags, text over several lines. The
//                        message ends with the edit to make by hand
absl::StatusOr<std::string> WriteBinding(std::string_view yaml,
                                         std::string_view queue,
                                         const QueueBinding& binding);

// The text with the queue at `to_broker`, and its present broker in `was`.
// `generation` 0: the next one. Errors as WriteBinding's; kInvalidArgument also
// when it is there already.
absl::StatusOr<std::string> EditMove(std::string_view yaml,
                                     std::string_view queue,
                                     std::string_view to_broker,
                                     uint64_t generation = 0);

// The text without `broker` in the queue's `was`: it is drained. Errors as
// WriteBinding's; kNotFound also when it is not in there.
absl::StatusOr<std::string> DropWas(std::string_view yaml,
                                    std::string_view queue,
                                    std::string_view broker);

// The state file that a text names, taken from `directory`; empty: none.
// kInvalidArgument, kFailedPrecondition: as ReadBinding.
absl::StatusOr<std::string> ReadStateFile(std::string_view yaml,
                                          const std::string& directory);

// The edit to make by hand, in one line.
std::string EditByHand(std::string_view queue, const QueueBinding& binding);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_EDIT_H_
