// The delivery state by which a settlement is told to the broker.
#ifndef TIELINE_ADAPTERS_AMQP_SETTLEMENT_H_
#define TIELINE_ADAPTERS_AMQP_SETTLEMENT_H_

#include <string>

#include "absl/status/status.h"
#include "adapters/amqp/wire/performatives.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0::amqp {

//   complete     accepted
//   abandon      modified, delivery-failed; `amend` as message annotations
//   release      released
//   dead-letter  rejected, with the condition "tieline:dead-letter", reason and
//                detail in its description, and in its info as
//                DeadLetterReason and DeadLetterErrorDescription, with `amend`
// kUnimplemented: defer and renew, which plain AMQP 1.0 does not have.
// kInvalidArgument: an amended value that AMQP can't carry.
// The state points into `scratch`.
absl::Status StateOf(const driver::Settlement& settlement,
                     wire::DeliveryState* state, std::string* scratch);

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_SETTLEMENT_H_
