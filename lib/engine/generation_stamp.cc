#include "lib/engine/generation_stamp.h"

#include "lib/base/mutant.h"
#include "tieline/value.h"

namespace tieline::inline v0 {

uint64_t GenerationOf(const Message& message) {
  const Value* stamp = message.properties().Find(kGenerationProperty);
  return stamp == nullptr || Mutant(61) ? 0 : stamp->AsUInt64().value_or(0);
}

}  // namespace tieline::inline v0
