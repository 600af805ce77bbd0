// BusControl: answers what comes over a control socket about a bus.
//
// A request is one JSON object:
//   {"op":"ping"}                                  pid
//   {"op":"config"}                                yaml; secrets are "***"
//   {"op":"queue","queue":"q"}                     binding
//   {"op":"plan","queue":"q","to":"b"}             moves, binding
//   {"op":"apply","queue":"q","to":"b"}            the same, and begins it
//   {"op":"moves"}                                 moves: a report each
//   {"op":"proceed","queue":"q"}, {"op":"cancel","queue":"q"}
//   {"op":"journal","from":1,"limit":100}          entries, next
//   {"op":"standing","queue":"q","generation":7}   standing, run
// plan and apply may name the generation to move to ("generation"; default: the
// next one), and say that the new broker may hold messages already
// ("accept_existing": true). A queue that is at `to` already moves nowhere:
// "moves" is empty. Answers are as reply.h says.
//
// "standing" is what other processes that use the queue ask
// (lib/move/socket_members.h): "sending" while this one may still send in that
// generation, "draining" while it reads what is there, "late" when it is
// through with it, "drained" when all are. "run" is a text that this process
// chose at random when it began: an answer counts as long as it stays.
// NOT_FOUND: the queue is none of this process's.
#ifndef TIELINE_LIB_CONTROL_BUS_CONTROL_H_
#define TIELINE_LIB_CONTROL_BUS_CONTROL_H_

#include <string>
#include <string_view>

#include "lib/control/control_target.h"

namespace tieline::inline v0 {

// Threads: any.
class BusControl {
 public:
  // `target` has to outlive it.
  explicit BusControl(ControlTarget* target) : target_(target) {}

  // One line for one line: a ControlHandler.
  std::string Answer(std::string_view request) const;

 private:
  ControlTarget* const target_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_CONTROL_BUS_CONTROL_H_
