// Where the core's copies of dead letters go, and what dead letters say about
// themselves.
//
// Values only; any thread.
#ifndef TIELINE_LIB_DEAD_LETTERS_H_
#define TIELINE_LIB_DEAD_LETTERS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "tieline/config.h"
#include "tieline/message.h"

namespace tieline::inline v0 {

// Who dead-letters, and so how it is marked.
enum class DeadLetterKind : uint8_t {
  // The core, by a copy, where the broker has no dead letters of its own:
  // properties "dead-letter-reason", "-detail" and "-source".
  kCopy,
  // The memory backend, as Service Bus does: properties "DeadLetterReason" and
  // "DeadLetterErrorDescription". Each queue has a place of its own.
  kMemory,
  // Artemis: message annotations that name the queue, and no reason. Queues
  // share a place.
  kArtemis,
};

// The entity that takes the core's copies.
std::string DeadLetterCopiesOf(const QueueConfig& queue);

// What a dead letter says; empty: not told.
struct DeadLetterMarks {
  std::string reason;
  std::string detail;
  std::string source;  // the entity that it came from
  std::string number;  // its broker's, which no other message there has
};
DeadLetterMarks MarksOf(DeadLetterKind kind, const Message& message);
// Makes a message a dead letter of the core's (DeadLetterKind::kCopy).
void MarkCopy(const DeadLetterMarks& marks, Message* message);

// The message as it was before it was dead-lettered, as far as that is known:
// without its marks. `place` is the entity that it was found at.
Message WithoutMarks(DeadLetterKind kind, Message message,
                     std::string_view place);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_DEAD_LETTERS_H_
