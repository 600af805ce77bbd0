// SpoolEntry: a message as it is in the spool, with what its sender has to know
// of it.
//
// Threads: stateless.
#ifndef TIELINE_LIB_ENGINE_SPOOL_ENTRY_H_
#define TIELINE_LIB_ENGINE_SPOOL_ENTRY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tieline/message.h"
#include "tieline/sender.h"

namespace tieline::inline v0 {

struct SpoolEntry {
  // Its place in the order in which the sender was given messages.
  uint64_t sequence = 0;
  uint64_t index = 0;
  absl::Time spooled_at;  // calendar time, in milliseconds
  Message message;

  // The message's remaining time to live, by calendar time; InfiniteDuration
  // where it has none.
  absl::Duration TtlLeft(absl::Time now) const;
};

// Of a message that its sender has in hand.
SpoolEntry SpoolEntryOf(const SendResult& result, absl::Time now);

// Appends to `*out`; the message alone is EncodeStored.
void EncodeSpoolEntry(const SpoolEntry& entry, std::string* out);
// kDataLoss, kUnimplemented: as DecodeStored.
absl::StatusOr<SpoolEntry> DecodeSpoolEntry(std::string_view bytes);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_SPOOL_ENTRY_H_
