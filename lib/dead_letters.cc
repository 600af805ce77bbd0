#include "lib/dead_letters.h"

#include <array>
#include <utility>

namespace tieline::inline v0 {
namespace {

// The names of the marks; empty: there is none.
struct Names {
  std::string_view reason;
  std::string_view detail;
  std::string_view source;
  std::string_view number;
  std::string_view other;
};

const Names& NamesOf(DeadLetterKind kind) {
  static constexpr Names kCopy = {"dead-letter-reason", "dead-letter-detail",
                                  "dead-letter-source", "", ""};
  static constexpr Names kMemory = {"DeadLetterReason",
                                    "DeadLetterErrorDescription", "", "", ""};
  static constexpr Names kArtemis = {"", "", "x-opt-ORIG-QUEUE",
                                     "x-opt-ORIG-MESSAGE-ID",
                                     "x-opt-ORIG-ADDRESS"};
  switch (kind) {
    case DeadLetterKind::kMemory:
      return kMemory;
    case DeadLetterKind::kArtemis:
      return kArtemis;
    case DeadLetterKind::kCopy:
      break;
  }
  return kCopy;
}

std::string TextOf(const Properties& in, std::string_view name) {
  const Value* value = name.empty() ? nullptr : in.Find(name);
  return value == nullptr ? "" : value->ToText();
}

}  // namespace

std::string DeadLetterCopiesOf(const QueueConfig& queue) {
  return queue.dead_letter_entity.empty() ? queue.entity + ".dead-letter"
                                          : queue.dead_letter_entity;
}

void MarkCopy(const DeadLetterMarks& marks, Message* message) {
  const Names& names = NamesOf(DeadLetterKind::kCopy);
  message->set_property(names.reason, Value(marks.reason));
  if (!marks.detail.empty()) {
    message->set_property(names.detail, Value(marks.detail));
  }
  message->set_property(names.source, Value(marks.source));
}

DeadLetterMarks MarksOf(DeadLetterKind kind, const Message& message) {
  const Names& names = NamesOf(kind);
  const Properties& in = kind == DeadLetterKind::kArtemis
                             ? message.annotations()
                             : message.properties();
  return {TextOf(in, names.reason), TextOf(in, names.detail),
          TextOf(in, names.source), TextOf(in, names.number)};
}

Message WithoutMarks(DeadLetterKind kind, Message message,
                     std::string_view place) {
  const bool is_artemis = kind == DeadLetterKind::kArtemis;
  const Names& names = NamesOf(kind);
  for (const std::string_view name :
       {names.reason, names.detail, names.source, names.number, names.other}) {
    if (name.empty()) continue;
    (is_artemis ? message.mutable_annotations() : message.mutable_properties())
        .Remove(name);
  }
  // Artemis writes its own over what was there.
  if (is_artemis && message.to() == place) message.clear(Field::kTo);
  message.clear(Field::kPartition);
  return message;
}

}  // namespace tieline::inline v0
