#include "tests/sim/entity.h"

#include <algorithm>

namespace tieline::sim {

void Entity::Store(Copy copy) {
  copy.position = next_position_++;
  ledger().OnStored(copy.message, copy.number, context_.place);
  Put(std::move(copy));
}

void Entity::Deliver(Copy& copy, Reader& reader, driver::Inbound* out) {
  const uint64_t size = copy.message.body_view().size();
  --reader.messages;
  reader.bytes -= std::min(reader.bytes, size);
  out->message = copy.message;
  out->position = copy.position;
  out->attempts = copy.attempts;
  out->redelivered = copy.attempts > 0;
  ++copy.deliveries;
}

}  // namespace tieline::sim
