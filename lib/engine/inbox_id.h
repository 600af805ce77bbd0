// What a message is known by in an inbox, and the digest of its body.
//
// Threads: stateless.
#ifndef TIELINE_LIB_ENGINE_INBOX_ID_H_
#define TIELINE_LIB_ENGINE_INBOX_ID_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "tieline/message.h"

namespace tieline::inline v0 {

// Where a message was received.
struct SourcePlace {
  std::string_view broker;  // by its name in the config
  std::string_view entity;
  uint32_t lane = 0;
  int64_t position = -1;  // Inbound::position
};

// "broker/entity/lane/position", with '/' and '%' in names percent-encoded: the
// id that a message without one gets, the same whenever it comes from there.
// Empty where the broker gives no position.
std::string IdOfPlace(const SourcePlace& place);

// Puts into `*id` (whose memory is used again) what the message is known by,
// at most StoreBatch::kMaxId bytes: its own id, of which it says the type too,
// when that is `unique` (Tieline made it, or the config says `ids: unique`),
// else its place. False when there is neither: it can't be told from others.
bool InboxIdOf(const Message& message, bool unique, const SourcePlace& place,
               std::string* id);

// The same for the same body on every backend and in every process: of the
// bytes, or of the value and its type.
uint64_t BodyDigest(const Message& message);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_INBOX_ID_H_
