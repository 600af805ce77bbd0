// What a backend can do: a value, reported by each connection and refined by
// each link, and compared with what the application needs.
#ifndef TIELINE_CAPABILITIES_H_
#define TIELINE_CAPABILITIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace tieline::inline v0 {

// Things that an application may need (ReceiverOptions::needs,
// SenderOptions::needs). Each is a bit in Capabilities::bits.
enum class Capability : uint8_t {
  kOrdering,           // messages of one key are delivered in order
  kOrderedPipelining,  // several sends of one key in flight stay in order
                       // whatever becomes of the first
  kBrokerRedelivery,   // an abandoned message comes back from the broker;
                       // without it the core retries in place
  kDeadLetter,         // the broker dead-letters; without it the core copies
                       // to the configured dead-letter entity
  kAttemptCount,       // deliveries carry the broker's count of attempts
  kDefer,
  kSchedule,  // deliver-at is honoured
  kCancelScheduled,
  kTtl,       // the broker expires messages
  kSessions,  // lanes are sessions that can be accepted by name
  kLockRenewal,
  kDuplicateDetection,  // the broker drops a second send of one id
  kTransactions,
  kPeek,
  kDepth,
  kListEntities,
  kCreateEntity,
  kReplay,        // receive from an offset or time again
  kSingleSettle,  // messages settle one by one at the broker; without it
                  // a watermark is kept
};
inline constexpr int kCapabilityCount = 19;

std::string_view CapabilityName(Capability c);  // "broker-redelivery"

// How it is known that an entity holds nothing more (migration: drain proof).
enum class DrainProof : uint8_t {
  kExact,
  kOffsets,
  kCount,
  kPeek,
  kQuietPeriod,
};

struct Capabilities {
  uint64_t bits = 0;
  DrainProof drain_proof = DrainProof::kQuietPeriod;
  // 0: not known or without limit. Bytes of one encoded message.
  uint64_t max_message_bytes = 0;
  uint32_t max_key_bytes = 0;
  uint32_t max_id_bytes = 0;
  // The time in which a second send of an id is dropped.
  absl::Duration duplicate_window = absl::ZeroDuration();
  // Names of standard fields that this backend can't carry.
  std::vector<std::string> dropped_fields;

  bool has(Capability c) const { return (bits >> static_cast<int>(c)) & 1u; }
  Capabilities& add(Capability c) {
    bits |= uint64_t{1} << static_cast<int>(c);
    return *this;
  }
};

// Names of those in `needs` that `has` lacks; empty when all are there.
std::vector<std::string> Missing(const std::vector<Capability>& needs,
                                 const Capabilities& has);

}  // namespace tieline::inline v0

#endif  // TIELINE_CAPABILITIES_H_
