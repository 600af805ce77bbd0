// The stamp that says in which generation of its queue a message was sent
// (docs/move.md): a property, since every backend carries those. The first
// generation has none, so that a queue that was never moved costs nothing.
#ifndef TIELINE_LIB_ENGINE_GENERATION_STAMP_H_
#define TIELINE_LIB_ENGINE_GENERATION_STAMP_H_

#include <cstdint>
#include <string_view>

#include "lib/base/mutant.h"
#include "tieline/message.h"

namespace tieline::inline v0 {

inline constexpr std::string_view kGenerationProperty = "tieline-generation";

// Replaces a stamp that it came with.
inline void StampGeneration(Message& message, uint64_t generation) {
  if (Mutant(60) && message.properties().Find(kGenerationProperty)) return;
  message.set_property(kGenerationProperty, Value(generation));
}

// 0: it has none, or what it has is no number.
uint64_t GenerationOf(const Message& message);

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_ENGINE_GENERATION_STAMP_H_
