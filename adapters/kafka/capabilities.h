// What Kafka can do, as the core knows it.
#ifndef TIELINE_ADAPTERS_KAFKA_CAPABILITIES_H_
#define TIELINE_ADAPTERS_KAFKA_CAPABILITIES_H_

#include "tieline/capabilities.h"

namespace tieline::inline v0 {
namespace kafka {

inline Capabilities KafkaCapabilities() {
  Capabilities c;
  c.add(Capability::kOrdering)
      // An idempotent producer without time limits on single records: a later
      // record of a partition is never accepted before an earlier one.
      .add(Capability::kOrderedPipelining)
      .add(Capability::kPeek)
      .add(Capability::kDepth)
      .add(Capability::kListEntities)
      .add(Capability::kCreateEntity)
      .add(Capability::kReplay);
  c.drain_proof = DrainProof::kOffsets;
  return c;
}

}  // namespace kafka
}  // namespace tieline::inline v0

#endif  // TIELINE_ADAPTERS_KAFKA_CAPABILITIES_H_
