// The rules that span fields: what FromText, AddUrl and Validate all check.
// Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_CHECK_H_
#define TIELINE_LIB_CONFIG_CHECK_H_

#include "lib/config/fault.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

// Fills in what follows from other fields: TLS from the scheme, the user from
// the URL, entity and route names.
void Complete(Config* config);
void CompleteBroker(BrokerConfig* broker);

// Faults by path ("queues.orders.broker"), without places.
void Check(const Config& config, Faults* faults);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_CHECK_H_
