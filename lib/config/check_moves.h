// Generations, former brokers and moves: what a config leaves out of them, and
// the rules about them (a part of Check). Private to lib/config.
#ifndef TIELINE_LIB_CONFIG_CHECK_MOVES_H_
#define TIELINE_LIB_CONFIG_CHECK_MOVES_H_

#include <cstdint>
#include <vector>

#include "lib/config/fault.h"
#include "tieline/config.h"

namespace tieline::inline v0 {
namespace config {

// Fills in the generations that the text leaves out (0): the queue's own is 1,
// and 1 more for each of `was`; an entry's is one less than that of what
// follows it. What would be less than 1 stays 0.
void CountGenerations(uint64_t* generation, std::vector<FormerBroker>* was);

// Faults by path ("queues.orders.was[0].generation"), without places.
void CheckMoves(const Config& config, Faults* faults);

}  // namespace config
}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONFIG_CHECK_MOVES_H_
