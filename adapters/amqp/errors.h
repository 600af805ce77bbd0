// AMQP error conditions as statuses.
#ifndef TIELINE_ADAPTERS_AMQP_ERRORS_H_
#define TIELINE_ADAPTERS_AMQP_ERRORS_H_

#include <string_view>

#include "absl/status/status.h"
#include "adapters/amqp/wire/condition.h"
#include "adapters/amqp/wire/performatives.h"
#include "tieline/driver/types.h"

namespace tieline::inline v0::amqp {

// What happened (for the start of the message) and the peer's condition.
//   kNotFound            amqp:not-found
//   kPermissionDenied    amqp:unauthorized-access
//   kUnauthenticated     the same, while connecting
//   kInvalidArgument     too large, malformed, not allowed there
//   kResourceExhausted   amqp:resource-limit-exceeded
//   kUnimplemented       amqp:not-implemented
//   kUnavailable         everything else: try again or elsewhere
absl::Status ToStatus(std::string_view what, const wire::Condition& condition);

// An outcome's fate and reason (AMQP 1.0 section 3.4):
//   accepted   kAccepted.
//   released   kNotTaken.
//   modified   kNotTaken; kRejected when undeliverable-here, since sending it
//              again to this place is then pointless.
//   rejected   kRejected; kNotTaken when the condition says that the broker is
//              full or busy (resource-limit-exceeded), which passes.
//   no state   kUnknown: settled, and not said how.
void ReadOutcome(std::string_view entity, const wire::DeliveryState& state,
                 driver::Outcome* outcome);

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_ADAPTERS_AMQP_ERRORS_H_
